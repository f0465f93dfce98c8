package shipping

import (
	"context"
	"fmt"

	"parley.sh/services/shipping/machine"
)

// Transactions are those of the message at hand. Each locks the order's row, which it
// makes if it is not there, and runs fn. They may return Unavailable, and Invalid for a
// message too old to tell whether it has been handled.
type Transactions interface {
	// Look runs fn, which may end the message by Tx.Done.
	Look(ctx context.Context, orderID string, fn Act) error
	// Once runs fn and ends the message. For one that has ended before it runs nothing
	// and returns nil.
	Once(ctx context.Context, orderID string, fn Act) error
}

// Act is what a handler does inside a transaction, about the shipment as it stands.
type Act func(ctx context.Context, tx Tx, s Shipment) error

// Tx is what a handler may do inside a transaction. Every method may return
// Unavailable.
type Tx interface {
	// Done records that the message has taken effect.
	Done(ctx context.Context) error
	// Save writes a change, and sends and announces what it says when the transaction
	// commits.
	Save(ctx context.Context, c Change) error
}

// Carrier takes parcels.
type Carrier interface {
	// Label gets the label of a shipment and returns the definite answer. Any error
	// means that the outcome is unknown; the same call may be made again.
	Label(ctx context.Context, s Shipment) (Result, error)
}

// Request is the part of FulfilOrder that shipping acts on.
type Request struct {
	OrderID      string
	OrderVersion int
	Level        string
	Address      string
}

// Fulfil asks the label workers for a label.
func Fulfil(ctx context.Context, t Transactions, r Request) error {
	return t.Once(ctx, r.OrderID, func(ctx context.Context, tx Tx, s Shipment) error {
		d := machine.OnFulfil(s.State)
		if d.Print {
			s.OrderVersion, s.Level, s.Address = r.OrderVersion, r.Level, r.Address
		}
		return save(ctx, tx, s, d)
	})
}

// Cancel stops a shipment whose label has not begun.
func Cancel(ctx context.Context, t Transactions, orderID string, orderVersion int) error {
	return t.Once(ctx, orderID, func(ctx context.Context, tx Tx, s Shipment) error {
		d := machine.OnCancel(s.State)
		if d.State != s.State {
			s.OrderVersion = orderVersion
		}
		return save(ctx, tx, s, d)
	})
}

// save writes a decision that changes something.
func save(ctx context.Context, tx Tx, s Shipment, d machine.Decision) error {
	if d.State == s.State {
		return nil
	}
	s.State = d.State
	if err := tx.Save(ctx, Change{Shipment: s, Print: d.Print, Fact: d.Fact}); err != nil {
		return fmt.Errorf("save order %s as %s: %w", s.OrderID, s.State, err)
	}
	return nil
}
