package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// storeTimeout bounds every statement of the relay.
const storeTimeout = 8 * time.Second

// storeConns is one connection to read over, one to delete, one for the rest.
const storeConns = 3

// store is the table as the relay uses it, over a small pool of its own: a service
// that has used up its connections must not silence its relay.
type store struct{ pool *pgxpool.Pool }

// newStore connects to nothing. Close it.
func newStore(ctx context.Context, db *postgres.DB) (*store, error) {
	settings := db.Config()
	settings.MaxConns = storeConns
	settings.MinConns = 0
	settings.MinIdleConns = 0
	// What the relay does belongs to no request, and is done all the time.
	settings.ConnConfig.Tracer = nil
	for name, value := range map[string]string{
		"application_name": "outbox relay",
		// A crash that forgets a delete sends a message twice. It is spared the fsync.
		"synchronous_commit": "off",
		// The planner's statistics of a queue are always wrong: it is empty when they
		// are made. There is one good plan for each statement here, by the index, and
		// it need not be made again for each look at the table.
		"plan_cache_mode":                 "force_generic_plan",
		"enable_seqscan":                  "off",
		"enable_bitmapscan":               "off",
		"enable_hashjoin":                 "off",
		"enable_mergejoin":                "off",
		"max_parallel_workers_per_gather": "0",
		"jit":                             "off",
	} {
		settings.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("make the relay's pool: %w", err)
	}
	return &store{pool: pool}, nil
}

func (s *store) close() { s.pool.Close() }

// lanes finds the destinations that have rows, shard by shard, by leaps over the
// index: their number decides what it costs, not that of the rows.
const lanes = `
WITH RECURSIVE lane AS (
    SELECT s.shard, o.broker, o.name
    FROM unnest($1::smallint[]) s (shard)
    CROSS JOIN LATERAL (
        SELECT broker, name FROM outbox WHERE shard = s.shard ORDER BY broker, name LIMIT 1) o
    UNION ALL
    SELECT l.shard, o.broker, o.name
    FROM lane l
    CROSS JOIN LATERAL (
        SELECT broker, name FROM outbox
        WHERE shard = l.shard AND (broker, name) > (l.broker, l.name) ORDER BY broker, name LIMIT 1) o)
`

// read has no cursor: a transaction may commit an id below one that was seen.
// Whatever is in memory is left out instead.
const read = lanes + `
SELECT r.id, l.shard, r.unit, l.broker, l.name, r.routing_key, r.key, r.message_id, r.type, r.source, r.subject,
       r.time, r.data_schema, r.headers, r.data
FROM lane l
CROSS JOIN LATERAL (
    SELECT * FROM outbox o
    WHERE o.shard = l.shard AND o.broker = l.broker AND o.name = l.name
      AND o.id NOT IN (SELECT unnest($3::bigint[])) AND o.unit NOT IN (SELECT unnest($4::bigint[]))
    ORDER BY o.id
    LIMIT $2) r
WHERE (l.broker, l.name) NOT IN (SELECT * FROM unnest($5::text[], $6::text[]))`

// sweep brings what is new in all lanes by one walk over a shard's part of the index.
const sweep = `
SELECT id, shard, unit, broker, name, routing_key, key, message_id, type, source, subject,
       time, data_schema, headers, data
FROM outbox
WHERE shard = ANY ($1::smallint[])
  AND id NOT IN (SELECT unnest($3::bigint[])) AND unit NOT IN (SELECT unnest($4::bigint[]))
LIMIT $2`

// haul is what a read brought, in the order of the ids. Of the destinations in cut
// there was more than fits.
type haul struct {
	rows []row
	cut  map[destination]bool
}

// read returns the rows that q asks for, of one destination about maxBytes at most.
func (s *store) read(ctx context.Context, q request, maxBytes int) (haul, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	found, err := s.query(ctx, q)
	if err != nil {
		return haul{}, postgres.Map(fmt.Errorf("read the outbox: %w", err))
	}
	defer found.Close()
	h := haul{cut: map[destination]bool{}}
	bytes := map[destination]int{}
	for found.Next() {
		r, err := scan(found)
		if err != nil {
			return haul{}, fmt.Errorf("read a row of the outbox: %w", err)
		}
		to := r.to()
		if bytes[to] += r.bytes(); bytes[to] > maxBytes && bytes[to] > r.bytes() {
			h.cut[to] = true // and so are all that follow: their keys' order depends on it
			continue
		}
		h.rows = append(h.rows, r)
	}
	if err := found.Err(); err != nil {
		return haul{}, postgres.Map(fmt.Errorf("read the outbox: %w", err))
	}
	slices.SortFunc(h.rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	return h, nil
}

func (s *store) query(ctx context.Context, q request) (pgx.Rows, error) {
	if q.sweep {
		return s.pool.Query(ctx, sweep, q.shards, q.limit, q.known, q.parked)
	}
	var brokers, names []string
	for _, to := range q.full {
		brokers, names = append(brokers, string(to.broker)), append(names, to.name)
	}
	return s.pool.Query(ctx, read, q.shards, q.limit, q.known, q.parked, brokers, names)
}

func scan(found pgx.Rows) (row, error) {
	var r row
	var broker string
	m := &r.message
	err := found.Scan(&r.id, &r.shard, &r.unit, &broker, &m.To.Name, &m.To.RoutingKey, &m.Key,
		&m.ID, &m.Type, &m.Source, &m.Subject, &m.Time, &m.DataSchema, &m.Headers, &m.Data)
	m.To.Broker = message.Broker(broker)
	m.Time = m.Time.UTC()
	return r, err
}

// remove leaves the planner no choice but to look up each row by the index: a plain
// join it may turn round and walk the whole table for every row.
const remove = `
DELETE FROM outbox WHERE ctid = ANY (ARRAY(
    SELECT o.ctid FROM unnest($3::smallint[], $4::bigint[]) d (shard, id)
    CROSS JOIN LATERAL (
        SELECT ctid FROM outbox
        WHERE shard = d.shard AND broker = $1 AND name = $2 AND id = d.id OFFSET 0) o))`

const moveAside = `
WITH gone AS (
    DELETE FROM outbox WHERE shard = $1 AND broker = $2 AND name = $3 AND id = $4
    RETURNING id, shard, broker, name, unit, routing_key, key, message_id, type, source, subject,
              time, data_schema, headers, data, created_at)
INSERT INTO outbox_refused SELECT gone.*, clock_timestamp(), $5 FROM gone`

// clearance is what one transaction takes out of the table.
type clearance struct {
	confirmed map[destination][]place
	refused   []refusal
}

func (c clearance) empty() bool { return len(c.confirmed) == 0 && len(c.refused) == 0 }

// clear deletes what was confirmed and sets aside what was refused, in one round
// trip and one transaction.
func (s *store) clear(ctx context.Context, limit time.Duration, c clearance) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var batch pgx.Batch
	for to, places := range c.confirmed {
		shards, ids := make([]int16, len(places)), make([]int64, len(places))
		for i, p := range places {
			shards[i], ids[i] = p.shard, p.id
		}
		batch.Queue(remove, string(to.broker), to.name, shards, ids)
	}
	for _, r := range c.refused {
		batch.Queue(moveAside, r.shard, string(r.to.broker), r.to.name, r.id, r.reason.Error())
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return postgres.Map(fmt.Errorf("clear the outbox: %w", err))
	}
	return nil
}

const tell = `SELECT pg_notify('outbox_' || 'outbox'::regclass::oid, $1)`

// tell wakes the relays of other replicas, in the name of the relay from. It is a
// transaction of its own: one that notifies waits at its commit for all others that do.
func (s *store) tell(ctx context.Context, from string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := s.pool.Exec(ctx, tell, from)
	return err
}

const pending = lanes + `
SELECT l.broker, l.name, sum(c.rows)::bigint, extract(epoch FROM clock_timestamp() - min(o.created_at))::float8
FROM lane l
CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM outbox o WHERE o.shard = l.shard AND o.broker = l.broker AND o.name = l.name) c
CROSS JOIN LATERAL (
    SELECT created_at FROM outbox o WHERE o.shard = l.shard AND o.broker = l.broker AND o.name = l.name
    ORDER BY o.id LIMIT 1) o
GROUP BY l.broker, l.name`

// backlog is what waits for one destination.
type backlog struct {
	to     destination
	rows   int64
	oldest float64 // seconds
}

// pending counts what waits in shards, and what was refused and is still there.
func (s *store) pending(ctx context.Context, shards []int16) (waiting []backlog, refused int64, err error) {
	found, err := s.pool.Query(ctx, pending, shards)
	if err != nil {
		return nil, 0, postgres.Map(fmt.Errorf("count the outbox: %w", err))
	}
	waiting, err = pgx.CollectRows(found, func(r pgx.CollectableRow) (backlog, error) {
		var b backlog
		var broker string
		err := r.Scan(&broker, &b.to.name, &b.rows, &b.oldest)
		b.to.broker = message.Broker(broker)
		return b, err
	})
	if err != nil {
		return nil, 0, postgres.Map(fmt.Errorf("count the outbox: %w", err))
	}
	if err := s.pool.QueryRow(ctx, `SELECT count(*) FROM outbox_refused`).Scan(&refused); err != nil {
		return nil, 0, postgres.Map(fmt.Errorf("count what was refused: %w", err))
	}
	return waiting, refused, nil
}
