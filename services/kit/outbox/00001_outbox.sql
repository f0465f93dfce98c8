-- +goose Up

-- A row is written once, in the transaction that it announces, and deleted when
-- its broker has confirmed it. No row is ever updated. The one index serves the
-- relay's reads (a shard's rows of one destination, by id) and its deletes.
CREATE TABLE outbox (
    shard       smallint    NOT NULL CHECK (shard BETWEEN 0 AND 15),
    broker      text        NOT NULL COLLATE "C",
    name        text        NOT NULL COLLATE "C",
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    unit        bigint      NOT NULL,
    routing_key text        NOT NULL,
    key         text        NOT NULL,
    message_id  text        NOT NULL,
    type        text        NOT NULL,
    source      text        NOT NULL,
    subject     text        NOT NULL,
    time        timestamptz NOT NULL,
    data_schema text        NOT NULL,
    headers     jsonb,
    data        bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (shard, broker, name, id)
) WITH (
    -- Every row is dead within milliseconds: vacuum by count, not by share of a
    -- table that is empty most of the time, and without pauses.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000
);

COMMENT ON TABLE outbox IS 'Messages that wait for their broker. Written by services, deleted by the relay.';
COMMENT ON COLUMN outbox.unit IS 'Hash of broker, name and key: rows of one unit are published in the order of their ids.';

-- What a broker refused for good, for a person to look at.
CREATE TABLE outbox_refused (
    id          bigint      PRIMARY KEY,
    shard       smallint    NOT NULL,
    broker      text        NOT NULL,
    name        text        NOT NULL,
    unit        bigint      NOT NULL,
    routing_key text        NOT NULL,
    key         text        NOT NULL,
    message_id  text        NOT NULL,
    type        text        NOT NULL,
    source      text        NOT NULL,
    subject     text        NOT NULL,
    time        timestamptz NOT NULL,
    data_schema text        NOT NULL,
    headers     jsonb,
    data        bytea,
    created_at  timestamptz NOT NULL,
    refused_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason      text        NOT NULL
);

COMMENT ON TABLE outbox_refused IS 'Messages that their broker refused for good. Each needs a decision.';

-- +goose Down
DROP TABLE outbox_refused;
DROP TABLE outbox;
