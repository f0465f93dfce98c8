package order

import (
	"context"
	"fmt"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/machine"
)

// Fact is what another service says about an order.
type Fact struct {
	OrderID string
	Receipt Receipt
	// Decide is the machine's answer to it.
	Decide func(machine.Order) (machine.Decision, error)
	// TrackingNumber comes with a dispatched parcel.
	TrackingNumber string
}

// React takes in a fact, once. A fact about an order that is not there, or that
// the protocol cannot produce, is Internal: somebody must look at it, and it is
// never guessed at.
func (s *Service) React(ctx context.Context, f Fact) error {
	_, err := s.store.Update(ctx, f.OrderID, &f.Receipt, func(o Order) (Change, error) {
		d, err := f.Decide(o.Progress)
		if err != nil {
			return Change{}, fault.Wrap(fault.Internal, err, "")
		}
		if f.TrackingNumber != "" && o.TrackingNumber == "" {
			o.TrackingNumber = f.TrackingNumber
		}
		return o.change(d, s.now(), s.timing), nil
	})
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Internal, err, "a fact about an unknown order")
	}
	if err != nil {
		return fmt.Errorf("react to %s for order %s: %w", f.Receipt.Type, f.OrderID, err)
	}
	return nil
}
