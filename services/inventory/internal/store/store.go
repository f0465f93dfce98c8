// Package store keeps the inventory in PostgreSQL.
package store

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// Once returns the transaction of the message m: it takes effect at most once.
func (s *Store) Once(m message.Message) inventory.Transact {
	return func(ctx context.Context, fn func(context.Context, inventory.Tx) error) error {
		return s.tx(ctx, func(ctx context.Context, t *tx) error {
			fresh, err := inbox.Once(ctx, t.Tx, Consumer, m)
			if err != nil || !fresh {
				return err
			}
			return fn(ctx, t)
		})
	}
}

// tx runs fn in a transaction and wakes the relay after it.
func (s *Store) tx(ctx context.Context, fn func(context.Context, *tx) error) error {
	err := s.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
		return fn(ctx, &tx{Tx: pg, store: s})
	})
	if err == nil {
		s.wake()
	}
	return err
}

// tx is one open transaction.
type tx struct {
	pgx.Tx
	store *Store
}
