-- +goose Up
CREATE TABLE shipment (
    order_id        uuid PRIMARY KEY,
    order_version   int  NOT NULL DEFAULT 0,
    state           text NOT NULL DEFAULT '',
    level           text NOT NULL DEFAULT '',
    address         text NOT NULL DEFAULT '',
    tracking_number text NOT NULL DEFAULT '',
    -- When PrintLabel was last sent, so that a lost one is sent again.
    asked_at        timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX shipment_open ON shipment (asked_at) WHERE state IN ('requested', 'labelling');

-- +goose Down
DROP TABLE shipment;
