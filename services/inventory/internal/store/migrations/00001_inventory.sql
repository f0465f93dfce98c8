-- +goose Up
CREATE TABLE product (
    id             text   COLLATE "C" PRIMARY KEY,
    name           text   NOT NULL,
    price_minor    bigint NOT NULL CHECK (price_minor > 0),
    currency       text   NOT NULL,
    on_hand        bigint NOT NULL CHECK (on_hand >= 0),
    reserved       bigint NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand),
    version        bigint NOT NULL DEFAULT 1,
    -- When the level was last published, so that every level is published once a minute.
    -- Not indexed: levels change all the time, and this keeps their updates heap-only.
    published_at   timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE reservation (
    order_id   uuid  PRIMARY KEY,
    state      text  NOT NULL DEFAULT '',
    items      jsonb NOT NULL DEFAULT '[]',
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Every change of a count. The counts of a product are the sums of its movements.
CREATE TABLE movement (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id text   NOT NULL REFERENCES product (id),
    order_id   uuid,
    kind       text   NOT NULL,
    on_hand    bigint NOT NULL,
    reserved   bigint NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX movement_product ON movement (product_id);
CREATE INDEX movement_order ON movement (order_id);

-- +goose Down
DROP TABLE movement;
DROP TABLE reservation;
DROP TABLE product;
