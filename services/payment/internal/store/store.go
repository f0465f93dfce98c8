// Package store keeps payments, their intents and the ledger in PostgreSQL.
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
	"parley.sh/services/payment/internal/payment"
)

//go:embed migrations/*.sql
var files embed.FS

// Consumer is the name of this service in its inbox.
const Consumer = "payment"

// Migrations returns the schemas that this store needs, in order.
func Migrations() []postgres.Migrations {
	own, _ := fs.Sub(files, "migrations") // it can only fail for a path that is not valid
	return []postgres.Migrations{inbox.Migrations, outbox.Migrations, {Name: "payment", FS: own}}
}

// Store keeps payments. It is safe for concurrent use.
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
func (s *Store) For(m message.Message) payment.Transactions { return transactions{s, m} }

// transactions are those of one message.
type transactions struct {
	store   *Store
	message message.Message
}

// Look implements payment.Transactions.
func (m transactions) Look(ctx context.Context, orderID string, fn payment.Act) error {
	return m.run(ctx, func(ctx context.Context, t *tx) error {
		batch := &pgx.Batch{}
		p := queueLock(batch, orderID)
		if err := inbox.Admit(batch, m.message); err != nil {
			return err
		}
		if err := t.send(ctx, batch); err != nil {
			return fmt.Errorf("lock order %s: %w", orderID, err)
		}
		return fn(ctx, t, *p)
	})
}

// Once implements payment.Transactions.
func (m transactions) Once(ctx context.Context, orderID string, fn payment.Act) error {
	return m.run(ctx, func(ctx context.Context, t *tx) error {
		batch := &pgx.Batch{}
		p := queueLock(batch, orderID)
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
		return fn(ctx, t, *p)
	})
}

// run runs fn in a transaction, and wakes the relay if it published something.
func (m transactions) run(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &tx{store: m.store, message: m.message}
	err := m.store.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
		t.Tx = pg
		return fn(ctx, t)
	})
	if err == nil && t.published {
		m.store.wake()
	}
	return err
}

// tx is one open transaction on behalf of a message.
type tx struct {
	pgx.Tx
	store     *Store
	message   message.Message
	published bool
}

// send sends a batch and returns the first error of its statements.
func (t *tx) send(ctx context.Context, batch *pgx.Batch) error {
	return t.SendBatch(ctx, batch).Close()
}

// Done implements payment.Tx.
func (t *tx) Done(ctx context.Context) (bool, error) {
	return inbox.Once(ctx, t.Tx, Consumer, t.message)
}
