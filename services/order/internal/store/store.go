package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// Announce makes the messages that a change sends.
type Announce func(order.Change) ([]message.Message, error)

// Store implements the domain's Store, Agenda and Model, and reads for the edge.
// It is safe for concurrent use.
type Store struct {
	db       *postgres.DB
	announce Announce
	wrote    func(order.Change)
}

// Options are what a Store is given besides its database.
type Options struct {
	// Announce is required.
	Announce Announce
	// Wrote is told of each change that has become durable; it must return at once.
	Wrote func(order.Change)
}

// New returns a Store.
func New(db *postgres.DB, o Options) *Store {
	return &Store{db: db, announce: o.Announce, wrote: o.Wrote}
}

// Create implements order.Store.
func (s *Store) Create(ctx context.Context, c order.Change, k order.Key) error {
	messages, err := s.announce(c)
	if err != nil {
		return fmt.Errorf("announce order %s: %w", c.Order.ID, err)
	}
	items, err := encodeItems(c.Order.Items)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// The key first: the loser of a race waits here for the winner's commit, and
		// then has nothing to undo.
		if err := insertKey(ctx, tx, k); err != nil {
			return err
		}
		if err := insertOrder(ctx, tx, c, items); err != nil {
			return err
		}
		return outbox.Add(ctx, tx, messages...)
	})
	if err == nil {
		s.wrote(c)
	}
	return err
}

// Update implements order.Store.
func (s *Store) Update(ctx context.Context, id string, r *order.Receipt, decide order.Decide) (order.Order, error) {
	var made *order.Change
	var after order.Order
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		made = nil
		before, err := selectOrder(ctx, tx, lockOrder, id)
		if err != nil {
			return err
		}
		after = before
		if fresh, err := once(ctx, tx, r); !fresh || err != nil {
			return err
		}
		made, err = s.apply(ctx, tx, before, decide)
		if made != nil {
			after = made.Order
		}
		return err
	})
	if err != nil {
		return order.Order{}, err
	}
	if made != nil {
		s.wrote(*made)
	}
	return after, nil
}

// once enters the message of r into the inbox and reports whether it is new there.
func once(ctx context.Context, tx pgx.Tx, r *order.Receipt) (bool, error) {
	if r == nil {
		return true, nil
	}
	return inbox.Once(ctx, tx, r.Consumer, message.Message{ID: r.ID, Source: r.Source, Type: r.Type, Time: r.Time})
}

// apply decides and writes. It returns nil for a decision that changes nothing.
func (s *Store) apply(ctx context.Context, tx pgx.Tx, before order.Order, decide order.Decide) (*order.Change, error) {
	c, err := decide(before)
	if err != nil {
		return nil, err
	}
	if !changed(before, c) {
		return nil, nil
	}
	if err := updateOrder(ctx, tx, c); err != nil {
		return nil, err
	}
	messages, err := s.announce(c)
	if err != nil {
		return nil, fmt.Errorf("announce order %s: %w", before.ID, err)
	}
	if err := outbox.Add(ctx, tx, messages...); err != nil {
		return nil, err
	}
	return &c, nil
}

func changed(before order.Order, c order.Change) bool {
	return len(c.Entries) > 0 || len(c.Work) > 0 || c.Order.Progress != before.Progress
}

// Order implements order.Store.
func (s *Store) Order(ctx context.Context, id string) (order.Order, error) {
	return selectOrder(ctx, s.db, "", id)
}

// noOrder names what was not found, for clients.
func noOrder(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.NotFound, err, "there is no such order")
	}
	return err
}
