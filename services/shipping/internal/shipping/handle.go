package shipping

import (
	"context"
	"fmt"

	"parley.sh/services/shipping/machine"
)

// Transact runs fn in one transaction on behalf of the message at hand.
type Transact func(ctx context.Context, fn func(context.Context, Tx) error) error

// Tx is what a handler may do inside a transaction. Every method may return
// Unavailable.
type Tx interface {
	// Shipment makes the order's row if it is not there, and locks it.
	Shipment(ctx context.Context, orderID string) (Shipment, error)
	// Done records that the message has taken effect. It reports false for a
	// repetition.
	Done(ctx context.Context) (fresh bool, err error)
	// Save writes the row.
	Save(ctx context.Context, s Shipment) error
	// Print sends PrintLabel when the transaction commits.
	Print(ctx context.Context, s Shipment) error
	// Announce publishes a fact when the transaction commits.
	Announce(ctx context.Context, f machine.Fact, s Shipment) error
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
func Fulfil(ctx context.Context, transact Transact, r Request) error {
	return react(ctx, transact, r.OrderID, func(s *Shipment) machine.Decision {
		d := machine.OnFulfil(s.State)
		if d.Print {
			s.OrderVersion, s.Level, s.Address = r.OrderVersion, r.Level, r.Address
		}
		return d
	})
}

// Cancel stops a shipment whose label has not begun.
func Cancel(ctx context.Context, transact Transact, orderID string, orderVersion int) error {
	return react(ctx, transact, orderID, func(s *Shipment) machine.Decision {
		d := machine.OnCancel(s.State)
		if d.State != s.State {
			s.OrderVersion = orderVersion
		}
		return d
	})
}

// react ends a message that needs no call.
func react(ctx context.Context, transact Transact, orderID string, decide func(*Shipment) machine.Decision) error {
	return transact(ctx, func(ctx context.Context, tx Tx) error {
		s, err := tx.Shipment(ctx, orderID)
		if err != nil {
			return err
		}
		fresh, err := tx.Done(ctx)
		if err != nil || !fresh {
			return err
		}
		return apply(ctx, tx, s, decide(&s))
	})
}

// apply writes a decision that changes something, and says so.
func apply(ctx context.Context, tx Tx, s Shipment, d machine.Decision) error {
	if d.State == s.State {
		return nil
	}
	s.State = d.State
	if err := tx.Save(ctx, s); err != nil {
		return err
	}
	if d.Print {
		return tx.Print(ctx, s)
	}
	if d.Fact == machine.Silence {
		return nil
	}
	return tx.Announce(ctx, d.Fact, s)
}

// Worker prints labels.
type Worker struct {
	Carrier Carrier
}

// Print carries a PrintLabel through: commit the intent, call the carrier, record
// the answer.
func (w Worker) Print(ctx context.Context, transact Transact, orderID string) error {
	s, call, err := begin(ctx, transact, orderID)
	if err != nil || !call {
		return err
	}
	result, err := w.Carrier.Label(ctx, s)
	if err != nil {
		return fmt.Errorf("label order %s: %w", orderID, err)
	}
	return record(ctx, transact, orderID, result)
}

// begin commits that the label has begun, or ends a message that comes late.
func begin(ctx context.Context, transact Transact, orderID string) (s Shipment, call bool, err error) {
	err = transact(ctx, func(ctx context.Context, tx Tx) error {
		if s, err = tx.Shipment(ctx, orderID); err != nil {
			return err
		}
		d, err := machine.OnPrint(s.State)
		if err != nil {
			return fmt.Errorf("decide about order %s: %w", orderID, err)
		}
		if call = d.Call; !call {
			_, err := tx.Done(ctx)
			return err
		}
		return apply(ctx, tx, s, d)
	})
	return s, call, err
}

// record writes the carrier's answer, unless somebody did meanwhile, and with it
// the end of the message.
func record(ctx context.Context, transact Transact, orderID string, result Result) error {
	return transact(ctx, func(ctx context.Context, tx Tx) error {
		s, err := tx.Shipment(ctx, orderID)
		if err != nil {
			return err
		}
		if _, err := tx.Done(ctx); err != nil {
			return err
		}
		d := machine.OnResult(s.State, result.Answer)
		if d.State != s.State {
			s.TrackingNumber = result.TrackingNumber
		}
		return apply(ctx, tx, s, d)
	})
}
