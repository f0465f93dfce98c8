package shipping

import (
	"context"
	"fmt"

	"parley.sh/services/shipping/machine"
)

// Worker prints labels. It has no state of its own and is safe for concurrent use.
type Worker struct {
	Carrier Carrier
}

// Print carries a PrintLabel through: commit the intent, call the carrier, record
// the answer.
func (w Worker) Print(ctx context.Context, t Transactions, orderID string) error {
	s, call, err := begin(ctx, t, orderID)
	if err != nil || !call {
		return err
	}
	result, err := w.Carrier.Label(ctx, s)
	if err != nil {
		return fmt.Errorf("label order %s: %w", orderID, err)
	}
	return record(ctx, t, orderID, result)
}

// begin commits that the label has begun, or ends a message that comes late.
func begin(ctx context.Context, t Transactions, orderID string) (s Shipment, call bool, err error) {
	err = t.Look(ctx, orderID, func(ctx context.Context, tx Tx, now Shipment) error {
		d, err := machine.OnPrint(now.State)
		if err != nil {
			return fmt.Errorf("decide about order %s: %w", orderID, err)
		}
		if s, call = now, d.Call; !call {
			return tx.Done(ctx)
		}
		return save(ctx, tx, now, d)
	})
	return s, call, err
}

// record writes the carrier's answer, unless somebody did meanwhile, and with it
// the end of the message.
func record(ctx context.Context, t Transactions, orderID string, result Result) error {
	return t.Once(ctx, orderID, func(ctx context.Context, tx Tx, s Shipment) error {
		d := machine.OnResult(s.State, result.Answer)
		if d.State != s.State {
			s.TrackingNumber = result.TrackingNumber
		}
		return save(ctx, tx, s, d)
	})
}
