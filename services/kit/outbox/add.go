package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// Shards is the number of parts that relays share out among themselves. It is a
// constant of the schema: rows already written know their shard.
const Shards = 16

const insert = `
INSERT INTO outbox (shard, broker, name, unit, routing_key, key, message_id, type, source, subject,
                    time, data_schema, headers, data)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`

// Add writes messages into the outbox, within tx and in one round trip: they are
// sent if and only if tx commits, those of one destination and key in the order
// given. A destination is a topic or an exchange, whatever the routing key.
//
// Transactions that add messages of one key order them by whatever orders the
// transactions themselves, which must be a row that both lock.
//
// The trace of ctx goes with the messages. Time is kept in microseconds. A
// message without id, type, source, time or destination is a defect of the caller
// and an Internal error; no size is refused, as only the broker knows its limit.
// After the commit, call Relay.Wake to save the wait for the relay's next look.
func Add(ctx context.Context, tx pgx.Tx, messages ...message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	var batch pgx.Batch
	if err := Queue(ctx, &batch, messages...); err != nil {
		return err
	}
	if err := send(ctx, tx, &batch); err != nil {
		return postgres.Map(fmt.Errorf("add to the outbox: %w", err))
	}
	return nil
}

// send spares a single message the ceremony of a batch.
func send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch) error {
	if q := batch.QueuedQueries; len(q) == 1 {
		_, err := tx.Exec(ctx, q[0].SQL, q[0].Arguments...)
		return err
	}
	return tx.SendBatch(ctx, batch).Close()
}

// Queue is Add for a caller that has more to write: the messages go with the other
// statements of batch, which the caller sends within its transaction.
func Queue(ctx context.Context, batch *pgx.Batch, messages ...message.Message) error {
	for _, m := range messages {
		if err := check(m); err != nil {
			return fmt.Errorf("add %s %s to the outbox: %w", m.Type, m.ID, err)
		}
		m = message.Inject(ctx, m)
		batch.Queue(insert, shardOf(m.Key), string(m.To.Broker), m.To.Name, unitOf(m), m.To.RoutingKey, m.Key,
			m.ID, m.Type, m.Source, m.Subject, m.Time, m.DataSchema, m.Headers, m.Data)
	}
	return nil
}

func check(m message.Message) error {
	switch {
	case m.ID == "":
		return errors.New("it has no id")
	case m.Type == "" || m.Source == "":
		return errors.New("it has no type or no source")
	case m.Time.IsZero():
		return errors.New("it has no time")
	case m.To.Broker == "" || m.To.Name == "":
		return errors.New("it has no destination")
	}
	return nil
}

// shardOf depends on the key alone, so that all that one entity sends is relayed
// by one replica.
func shardOf(key string) int16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int16(h.Sum32() % Shards) //nolint:gosec // below Shards
}

// unitOf hashes what the unit of order is: destination and key. Two units of one
// hash merely wait for each other.
func unitOf(m message.Message) int64 {
	h := fnv.New64a()
	for _, part := range []string{string(m.To.Broker), m.To.Name, m.Key} {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return int64(h.Sum64()) //nolint:gosec // a hash: every bit pattern will do
}
