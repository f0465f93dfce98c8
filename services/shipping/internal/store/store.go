// Package store keeps shipments in PostgreSQL.
//
// The locks of a transaction come in one order, so that no two wait for each other:
// the order's row, then the message's entry in the inbox.
package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/shipping/internal/shipping"
)

//go:embed migrations/*.sql
var files embed.FS

// Consumer is the name of this service in its inbox.
const Consumer = "shipping"

// Migrations returns the schemas that this store needs, in order.
func Migrations() []postgres.Migrations {
	own, _ := fs.Sub(files, "migrations") // it can only fail for a path that is not valid
	return []postgres.Migrations{inbox.Migrations, outbox.Migrations, {Name: "shipping", FS: own}}
}

// Store keeps shipments. It is safe for concurrent use.
type Store struct {
	db    *postgres.DB
	now   func() time.Time
	newID func() string
	wake  func()
}

// New returns a store that calls wake after each transaction that left something
// to publish.
func New(db *postgres.DB, wake func()) *Store {
	return &Store{db: db, now: time.Now, newID: func() string { return uuid.Must(uuid.NewV7()).String() }, wake: wake}
}

// For returns the transactions of the message m.
func (s *Store) For(m message.Message) shipping.Transactions { return transactions{s, m} }

// transactions are those of one message.
type transactions struct {
	store   *Store
	message message.Message
}

// Look implements shipping.Transactions.
func (m transactions) Look(ctx context.Context, orderID string, fn shipping.Act) error {
	return m.run(ctx, func(ctx context.Context, t *tx) error {
		batch := &pgx.Batch{}
		s := queueLock(batch, orderID)
		if err := inbox.Admit(batch, m.message); err != nil {
			return err
		}
		if err := t.send(ctx, batch); err != nil {
			return fmt.Errorf("lock order %s: %w", orderID, err)
		}
		return fn(ctx, t, *s)
	})
}

// Once implements shipping.Transactions.
func (m transactions) Once(ctx context.Context, orderID string, fn shipping.Act) error {
	return m.run(ctx, func(ctx context.Context, t *tx) error {
		batch := &pgx.Batch{}
		s := queueLock(batch, orderID)
		noted, err := inbox.Queue(batch, Consumer, m.message)
		if err != nil {
			return err
		}
		if err := t.send(ctx, batch); err != nil {
			return fmt.Errorf("lock order %s: %w", orderID, err)
		}
		if fresh, err := noted.Fresh(ctx, t.Tx); err != nil || !fresh {
			return err
		}
		return fn(ctx, t, *s)
	})
}

// run runs fn in a transaction of this message.
func (m transactions) run(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &tx{store: m.store, message: m.message}
	return m.store.run(ctx, t, func(ctx context.Context) error { return fn(ctx, t) })
}

// run runs fn in a transaction, which t is, and wakes the relay if it published
// something.
func (s *Store) run(ctx context.Context, t *tx, fn func(context.Context) error) error {
	err := s.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
		t.Tx = pg
		return fn(ctx)
	})
	if err == nil && t.published {
		s.wake()
	}
	return err
}

// tx is one open transaction. The message is that on whose behalf it is, if any.
type tx struct {
	pgx.Tx
	store     *Store
	message   message.Message
	published bool
}

// send sends a batch, if there is anything in it, and returns the first error of its
// statements.
func (t *tx) send(ctx context.Context, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return t.SendBatch(ctx, batch).Close()
}

// Done implements shipping.Tx.
func (t *tx) Done(ctx context.Context) error {
	_, err := inbox.Once(ctx, t.Tx, Consumer, t.message)
	return err
}
