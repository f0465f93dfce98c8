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

// Announcement is a fact about an order, to be published with the change that it
// announces.
type Announcement struct {
	Fact         machine.Fact
	OrderID      string
	OrderVersion int
	Items        []Item
	Shortages    []Shortage
}

// Transact runs fn in one transaction that takes effect at most once for the
// message at hand. A repetition runs nothing and returns nil.
type Transact func(ctx context.Context, fn func(context.Context, Tx) error) error

// Tx is what a reaction may do inside its transaction. Every method may return
// Unavailable.
type Tx interface {
	// Reservation makes the order's row if it is not there, and locks it.
	Reservation(ctx context.Context, orderID string) (Reservation, error)
	// Products locks products in the order of their ids. Unknown ones are absent.
	Products(ctx context.Context, ids []string) (map[string]Product, error)
	// Save writes the reservation, applies the movements and announces the levels
	// that they change.
	Save(ctx context.Context, r Reservation, moves []Movement) error
	// Announce publishes a fact when the transaction commits.
	Announce(ctx context.Context, a Announcement) error
}

// Placed is the part of OrderPlacedEvent that inventory acts on.
type Placed struct {
	OrderID string
	Version int
	Items   []Item
}

// Place reserves all items of an order, or none.
func Place(ctx context.Context, transact Transact, o Placed) error {
	return transact(ctx, func(ctx context.Context, tx Tx) error {
		r, err := tx.Reservation(ctx, o.OrderID)
		if err != nil || r.State != machine.None {
			return err
		}
		products, err := tx.Products(ctx, ProductIDs(o.Items))
		if err != nil {
			return err
		}
		missing := Shortages(o.Items, products)
		d := machine.OnPlaced(r.State, func() bool { return len(missing) == 0 })
		r.Items = o.Items
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
	return transact(ctx, func(ctx context.Context, tx Tx) error {
		r, err := tx.Reservation(ctx, c.OrderID)
		if err != nil {
			return err
		}
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
	if err := tx.Save(ctx, r, Movements(r.OrderID, d.Movement, r.Items)); err != nil {
		return fmt.Errorf("save order %s: %w", r.OrderID, err)
	}
	a.Fact, a.OrderID = d.Fact, r.OrderID
	if d.Movement != machine.Still {
		a.Items = r.Items
	}
	if err := tx.Announce(ctx, a); err != nil {
		return fmt.Errorf("announce %s of order %s: %w", d.Fact, r.OrderID, err)
	}
	return nil
}
