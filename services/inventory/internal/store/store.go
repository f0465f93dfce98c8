// Package store keeps the inventory in PostgreSQL.
//
// The locks of a transaction come in one order, so that no two wait for each other:
// the order's row, the message's entry in the inbox, products by their ids.
package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Consumer is the name of this service in its inbox.
const Consumer = "inventory"

// Migrations returns the schemas that this store needs, in order.
func Migrations() []postgres.Migrations {
	own, _ := fs.Sub(files, "migrations") // it can only fail for a path that is not valid
	return []postgres.Migrations{inbox.Migrations, outbox.Migrations, {Name: "inventory", FS: own}}
}

// Store keeps products, reservations and movements. It is safe for concurrent use.
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

// tx runs fn in a transaction, and wakes the relay if it published something.
func (s *Store) tx(ctx context.Context, fn func(context.Context, *tx) error) error {
	t := &tx{store: s, locked: map[string]inventory.Product{}}
	err := s.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
		t.Tx = pg
		return fn(ctx, t)
	})
	if err == nil && t.published {
		s.wake()
	}
	return err
}

// tx is one open transaction.
type tx struct {
	pgx.Tx
	store *Store
	// locked are the products that the transaction has locked, as it read them.
	locked    map[string]inventory.Product
	published bool
}

// publish leaves payloads in the outbox, with the statements of batch.
func (t *tx) publish(ctx context.Context, batch *pgx.Batch, payloads ...contract.Payload) error {
	for _, p := range payloads {
		m, err := contract.NewMessage(p, t.store.newID(), t.store.now())
		if err != nil {
			return err
		}
		if err := outbox.Queue(ctx, batch, m); err != nil {
			return fmt.Errorf("publish %s: %w", p.Type(), err)
		}
		t.published = true
	}
	return nil
}

// send sends a batch, if there is anything in it, and returns the first error of its
// statements.
func (t *tx) send(ctx context.Context, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return t.SendBatch(ctx, batch).Close()
}

// Once returns the transaction of the message m.
func (s *Store) Once(m message.Message) inventory.Transact {
	return func(ctx context.Context, orderID string, fn inventory.Act) error {
		return s.tx(ctx, func(ctx context.Context, t *tx) error {
			r, fresh, err := t.once(ctx, orderID, m)
			if err != nil || !fresh {
				return err
			}
			return fn(ctx, t, r)
		})
	}
}
