// Package store keeps shipments in PostgreSQL.
package store

import (
	"context"
	"embed"
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

// New returns a store that calls wake after each transaction that may have left
// something to publish.
func New(db *postgres.DB, wake func()) *Store {
	return &Store{db: db, now: time.Now, newID: func() string { return uuid.Must(uuid.NewV7()).String() }, wake: wake}
}

// For returns the transactions of the message m.
func (s *Store) For(m message.Message) shipping.Transact {
	return func(ctx context.Context, fn func(context.Context, shipping.Tx) error) error {
		err := s.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
			return fn(ctx, &tx{Tx: pg, store: s, message: m})
		})
		if err == nil {
			s.wake()
		}
		return err
	}
}

// tx is one open transaction on behalf of a message.
type tx struct {
	pgx.Tx
	store   *Store
	message message.Message
}

// Done implements shipping.Tx.
func (t *tx) Done(ctx context.Context) (bool, error) {
	return inbox.Once(ctx, t.Tx, Consumer, t.message)
}
