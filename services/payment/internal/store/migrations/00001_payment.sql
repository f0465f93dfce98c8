-- +goose Up
CREATE TABLE payment (
    order_id     uuid   PRIMARY KEY,
    state        text   NOT NULL DEFAULT '',
    amount_minor bigint NOT NULL DEFAULT 0,
    currency     text   NOT NULL DEFAULT '',
    token        text   NOT NULL DEFAULT '',
    provider_ref text   NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- One call to the provider per order and kind, for ever. Its id is derived from both.
CREATE TABLE intent (
    order_id      uuid NOT NULL REFERENCES payment (order_id),
    kind          text NOT NULL,
    order_version int  NOT NULL,
    opened_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, kind)
);

-- A movement of money: two lines that sum to zero. At most one per intent.
CREATE TABLE ledger_entry (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL,
    kind     text NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (order_id, kind)
);
CREATE TABLE ledger_line (
    entry_id     bigint NOT NULL REFERENCES ledger_entry (id),
    account      text   NOT NULL,
    amount_minor bigint NOT NULL,
    currency     text   NOT NULL,
    PRIMARY KEY (entry_id, account)
);

-- +goose Down
DROP TABLE ledger_line;
DROP TABLE ledger_entry;
DROP TABLE intent;
DROP TABLE payment;
