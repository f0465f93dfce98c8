package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/postgres"
)

// date is a UTC day, as the days since the epoch.
type date int64

const secondsPerDay = int64(day / time.Second)

func dayOf(t time.Time) date {
	s := t.Unix()
	d := s / secondsPerDay
	if s < 0 && s%secondsPerDay != 0 {
		d--
	}
	return date(d)
}

// date returns the day's first moment, which pgx writes as a date.
func (d date) date() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

func (d date) table() string { return "inbox_" + d.date().Format("20060102") }

func (d date) literal() string { return "'" + d.date().Format(time.DateOnly) + "'" }

// makeOnDemand makes the partition of a day over a connection of its own: tx must
// not hold the lock that it takes. The lock does not contend with the inserts of tx.
func makeOnDemand(ctx context.Context, tx pgx.Tx, d date) error {
	conn, err := connect(ctx, tx.Conn().Config())
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	return makePartition(ctx, conn, d)
}

// makePartition makes the partition of a day unless it is there. A day before
// kept_from is refused: see Keeper. Several may make the same day at once.
//
// The table is made apart and attached: CREATE TABLE ... PARTITION OF would lock out
// every insert, ATTACH takes SHARE UPDATE EXCLUSIVE, which inserts do not feel.
func makePartition(ctx context.Context, conn *pgx.Conn, d date) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock('inbox'::regclass::oid::int, 1)`); err != nil {
			return err
		}
		var kept, there bool
		row := tx.QueryRow(ctx, `
			SELECT $1::date >= kept_from,
			       EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'inbox'::regclass AND inhrelid = to_regclass($2))
			FROM inbox_window FOR SHARE`, d.date(), d.table())
		if err := row.Scan(&kept, &there); err != nil {
			return err
		}
		if !kept {
			return errForgotten()
		}
		if there {
			return nil
		}
		return attach(ctx, tx, d)
	})
	if err != nil {
		return postgres.Map(fmt.Errorf("make inbox partition %s: %w", d.table(), err))
	}
	return nil
}

func attach(ctx context.Context, tx pgx.Tx, d date) error {
	table := pgx.Identifier{d.table()}.Sanitize()
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		CREATE TABLE %[1]s (LIKE inbox INCLUDING ALL);
		ALTER TABLE inbox ATTACH PARTITION %[1]s FOR VALUES FROM (%[2]s) TO (%[3]s)`,
		table, d.literal(), (d+1).literal()))
	return err
}

// connect makes a connection beside the pool, for statements that take longer, and
// wait for locks for less long, than a handler's.
func connect(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	cfg.Tracer = nil
	cfg.RuntimeParams["statement_timeout"] = "60s"
	cfg.RuntimeParams["lock_timeout"] = "10s"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, postgres.Map(fmt.Errorf("connect for the inbox's partitions: %w", err))
	}
	return conn, nil
}

const closeTimeout = time.Second

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // what is left of it the server ends
}
