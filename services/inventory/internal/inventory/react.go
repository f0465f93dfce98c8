package inventory

import (
	"context"
	"fmt"

	"parley.sh/services/inventory/machine"
)

// Reservation is what inventory holds for an order.
type Reservation struct {
	OrderID string
	State   machine.State
	Items   []Item
}

// Announcement is a fact about an order.
type Announcement struct {
	Fact         machine.Fact
	OrderID      string
	OrderVersion int
	Items        []Item
	Shortages    []Shortage
}

// Change is what a message makes of a reservation: how it stands now, what moves,
// at most once a product, and the fact that is published with it.
type Change struct {
	Reservation  Reservation
	Movements    []Movement
	Announcement Announcement
}

// Transact locks the order's row, which it makes if it is not there, and runs fn in
// one transaction that takes effect at most once for the message at hand. For a
// repetition it runs nothing and returns nil. It may return Unavailable, and Invalid
// for a message too old to tell whether it has been handled.
type Transact func(ctx context.Context, orderID string, fn Act) error

// Act is what a reaction does inside its transaction, about the reservation as it
// stands.
type Act func(ctx context.Context, tx Tx, r Reservation) error

// Tx is what a reaction may do inside its transaction. Every method may return
// Unavailable.
type Tx interface {
	// Products locks products in the order of their ids. Unknown ones are absent.
	Products(ctx context.Context, ids []string) (map[string]Product, error)
	// Save writes a change, and announces it and the levels that it moves when the
	// transaction commits. It is called once.
	Save(ctx context.Context, c Change) error
}

// Placed is the part of OrderPlacedEvent that inventory acts on.
type Placed struct {
	OrderID string
	Version int
	Items   []Item
}

// Place reserves all items of an order, or none.
func Place(ctx context.Context, transact Transact, o Placed) error {
	return transact(ctx, o.OrderID, func(ctx context.Context, tx Tx, r Reservation) error {
		if r.State != machine.None {
			return nil
		}
		items := Merge(o.Items)
		products, err := tx.Products(ctx, ProductIDs(items))
		if err != nil {
			return err
		}
		missing := Shortages(items, products)
		d := machine.OnPlaced(r.State, func() bool { return len(missing) == 0 })
		r.Items = items
		return save(ctx, tx, r, d, Announcement{OrderVersion: o.Version, Shortages: missing})
	})
}

// Command is the part of FulfilOrder and UndoOrder that inventory acts on.
type Command struct {
	OrderID      string
	OrderVersion int
}

// Fulfil picks what is reserved for an order.
func Fulfil(ctx context.Context, transact Transact, c Command) error {
	return react(ctx, transact, c, machine.OnFulfil)
}

// Undo releases or takes back what an order holds, or leaves a tombstone.
func Undo(ctx context.Context, transact Transact, c Command) error {
	return react(ctx, transact, c, func(s machine.State) (machine.Decision, error) {
		return machine.OnUndo(s), nil
	})
}

func react(
	ctx context.Context, transact Transact, c Command, decide func(machine.State) (machine.Decision, error),
) error {
	return transact(ctx, c.OrderID, func(ctx context.Context, tx Tx, r Reservation) error {
		d, err := decide(r.State)
		if err != nil {
			return fmt.Errorf("decide about order %s: %w", c.OrderID, err)
		}
		return save(ctx, tx, r, d, Announcement{OrderVersion: c.OrderVersion})
	})
}

// save writes a decision that changes something, and announces it.
func save(ctx context.Context, tx Tx, r Reservation, d machine.Decision, a Announcement) error {
	if d.State == r.State {
		return nil
	}
	r.State = d.State
	a.Fact, a.OrderID = d.Fact, r.OrderID
	if d.Movement != machine.Still {
		a.Items = r.Items
	}
	moves := Movements(r.OrderID, d.Movement, r.Items)
	if err := tx.Save(ctx, Change{Reservation: r, Movements: moves, Announcement: a}); err != nil {
		return fmt.Errorf("save %s of order %s: %w", d.Fact, r.OrderID, err)
	}
	return nil
}
