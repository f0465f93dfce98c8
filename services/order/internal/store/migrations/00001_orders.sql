-- +goose Up
CREATE TABLE orders (
    id              uuid        PRIMARY KEY,
    customer_id     text        NOT NULL,
    state           text        NOT NULL
        CHECK (state IN ('placed', 'confirmed', 'cancelling', 'shipped', 'cancelled')),
    reason          text        NOT NULL DEFAULT '',
    stock           smallint    NOT NULL DEFAULT 0 CHECK (stock BETWEEN 0 AND 5),
    money           smallint    NOT NULL DEFAULT 0 CHECK (money BETWEEN 0 AND 5),
    parcel          smallint    NOT NULL DEFAULT 0 CHECK (parcel BETWEEN 0 AND 2),
    settled         boolean     NOT NULL DEFAULT false,
    version         integer     NOT NULL CHECK (version >= 1),
    amount_minor    bigint      NOT NULL CHECK (amount_minor >= 0),
    currency        text        NOT NULL,
    items           jsonb       NOT NULL,
    level           text        NOT NULL,
    address         text        NOT NULL,
    tracking_number text        NOT NULL DEFAULT '',
    trace           text        NOT NULL DEFAULT '',
    placed_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deadline_at     timestamptz,
    ask_at          timestamptz,
    asked           integer     NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

COMMENT ON TABLE orders IS 'One row an order; ids are UUIDs of version 7, so newest first is by id.';
COMMENT ON COLUMN orders.items IS 'Array of {productId, quantity, priceMinor, currency}.';
COMMENT ON COLUMN orders.stock IS '0 open, 1 reserved, 2 rejected, 3 picked, 4 released, 5 returned.';
COMMENT ON COLUMN orders.money IS '0 open, 1 authorized, 2 declined, 3 captured, 4 voided, 5 refunded.';
COMMENT ON COLUMN orders.parcel IS '0 open, 1 dispatched, 2 failed.';

CREATE INDEX orders_by_customer ON orders (customer_id, id);
CREATE INDEX orders_by_state ON orders (state, id);
CREATE INDEX orders_by_deadline ON orders (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX orders_to_ask ON orders (ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX orders_unsettled ON orders (placed_at, state) WHERE NOT settled;

CREATE TABLE timeline (
    order_id        uuid        NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    version         integer     NOT NULL,
    event           text        NOT NULL,
    reason          text        NOT NULL DEFAULT '',
    tracking_number text        NOT NULL DEFAULT '',
    at              timestamptz NOT NULL,
    tx              xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (order_id, version)
);

COMMENT ON COLUMN timeline.tx IS
    'The transaction that wrote the row. Readers of all orders take rows below the snapshot''s xmin only, in the order of (tx, seq): no row can appear behind one that was read.';

CREATE UNIQUE INDEX timeline_by_position ON timeline (tx, seq);

CREATE TABLE idempotency (
    customer_id text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    order_id    uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (customer_id, key)
);

CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE stock_level (
    product_id  text        PRIMARY KEY,
    version     bigint      NOT NULL,
    stock       bigint      NOT NULL,
    price_minor bigint      NOT NULL,
    currency    text        NOT NULL,
    partition   integer     NOT NULL,
    updated_at  timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE stock_caught_up (
    partition integer     PRIMARY KEY,
    at        timestamptz NOT NULL
) WITH (fillfactor = 50);

COMMENT ON TABLE stock_caught_up IS
    'When the consumer of a partition of Stock last stood at its end: levels of that partition are complete up to then.';

-- +goose Down
DROP TABLE stock_caught_up;
DROP TABLE stock_level;
DROP TABLE idempotency;
DROP TABLE timeline;
DROP TABLE orders;
