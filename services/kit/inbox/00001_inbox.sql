-- +goose Up

-- One row per message and consumer: its effect is in the database. Rows lie in
-- one partition per day of the message's own time and go with it.
CREATE TABLE inbox (
    consumer   text        NOT NULL,
    source     text        NOT NULL,
    message_id text        NOT NULL,
    day        date        NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (message_id, consumer, source, day)
) PARTITION BY RANGE (day);

COMMENT ON TABLE inbox IS 'Messages whose effect is in this database, by the UTC day of their own time.';

-- The first day whose messages are still known. It only rises, and rises before a
-- partition goes: a message of an earlier day is refused, as nothing could tell
-- whether it has been handled.
CREATE TABLE inbox_window (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    kept_from date    NOT NULL
);

INSERT INTO inbox_window (kept_from) VALUES ((now() AT TIME ZONE 'UTC')::date - 8);

-- +goose Down
DROP TABLE inbox_window;
DROP TABLE inbox;
