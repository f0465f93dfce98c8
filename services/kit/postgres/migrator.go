package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"parley.sh/services/kit/fault"
)

// lockKey is the advisory lock of migrations, the same for every set of a
// database. It is far above what the outbox uses for its shards.
const lockKey int64 = 0x7061726c65796d67

const (
	firstPause = 200 * time.Millisecond
	longPause  = 5 * time.Second
	// lockPause is how often a replica asks for the lock. It polls: a statement
	// that waits for a lock holds a snapshot, and CREATE INDEX CONCURRENTLY of the
	// holder would wait for that in turn.
	lockPause = 100 * time.Millisecond
	// sayEvery is how often a wait is logged while nothing changes.
	sayEvery = 30 * time.Second
)

// Migrator brings a database up to date. Run it as a part of the process.
type Migrator struct {
	db   *DB
	sets []Migrations
}

// Migrator returns a Migrator for sets, which are applied in the order given.
func (db *DB) Migrator(sets ...Migrations) *Migrator { return &Migrator{db: db, sets: sets} }

// Run waits for the database, migrates it and returns nil; DB.Migrated is closed
// by then. It returns an error when the schema is newer than this program can
// live with or when a migration fails for a reason that trying again cannot cure,
// and nil when ctx ends.
func (m *Migrator) Run(ctx context.Context) error {
	pause, said := firstPause, time.Time{}
	for {
		err := m.once(ctx)
		switch {
		case err == nil:
			m.db.once.Do(func() { close(m.db.migrated) })
			m.db.log.InfoContext(ctx, "database ready", m.where()...)
			return nil
		case ctx.Err() != nil:
			return nil //nolint:nilerr // being told to stop is no failure
		case !waitable(err):
			return Map(err)
		}
		if said.IsZero() || time.Since(said) >= sayEvery {
			said = time.Now()
			m.db.log.WarnContext(ctx, "waiting for the database", append(m.where(), "err", err)...)
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return nil
		}
		pause = min(2*pause, longPause)
	}
}

// waitable reports whether the database may just not be there yet: it cannot be
// reached, or does not know the database or the role, which somebody is about to
// make, or it went away in the middle.
func waitable(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || fault.Is(Map(err), fault.Unavailable) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, errLockLost)
}

// once makes one connection, takes the lock on it and applies every set over it.
// Closing the connection lets go of the lock.
func (m *Migrator) once(ctx context.Context) error {
	conn := sql.OpenDB(&oneConnection{Connector: stdlib.GetConnector(*m.settings())})
	defer func() { _ = conn.Close() }()
	conn.SetMaxOpenConns(1)
	if err := m.lock(ctx, conn); err != nil {
		return err
	}
	for _, set := range m.sets {
		if err := set.apply(ctx, conn, m.db.log); err != nil {
			return err
		}
	}
	return nil
}

// settings are those of the pool, without a limit on statements: a migration
// takes as long as it takes.
func (m *Migrator) settings() *pgx.ConnConfig {
	c := m.db.Config().ConnConfig
	c.RuntimeParams["statement_timeout"] = "0"
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	return c
}

func (m *Migrator) lock(ctx context.Context, conn *sql.DB) error {
	for said := false; ; said = true {
		var mine bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockKey).Scan(&mine); err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if mine {
			return nil
		}
		if !said {
			m.db.log.InfoContext(ctx, "waiting for another replica to migrate", m.where()...)
		}
		if !sleep(ctx, lockPause) {
			return ctx.Err()
		}
	}
}

func (m *Migrator) where() []any { return where(m.db.Config().ConnConfig) }

// errLockLost says that the connection which held the lock is gone.
var errLockLost = errors.New("the connection that held the migration lock was lost")

// oneConnection connects once. database/sql would replace a lost connection without
// a word, and go on migrating without the lock.
type oneConnection struct {
	driver.Connector

	used atomic.Bool
}

// Connect implements driver.Connector.
func (o *oneConnection) Connect(ctx context.Context) (driver.Conn, error) {
	if o.used.Swap(true) {
		return nil, errLockLost
	}
	return o.Connector.Connect(ctx)
}

// sleep reports whether the whole pause passed before ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
