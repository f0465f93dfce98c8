package order

import (
	"context"
	"errors"
	"fmt"

	"parley.sh/services/order/machine"
)

// Cancel asks, for the customer, that an order ends without a parcel, and returns
// the order after that: cancelled, or cancelling, which may still end shipped.
// NotFound: there is no such order. ErrShipped: it is too late.
func (s *Service) Cancel(ctx context.Context, id string) (Order, error) {
	o, err := s.store.Update(ctx, id, nil, func(o Order) (Change, error) {
		d, err := machine.OnCancel(o.Progress)
		if errors.Is(err, machine.ErrShipped) {
			return Change{}, ErrShipped
		}
		return o.change(d, s.now(), s.timing), err
	})
	if err != nil {
		return Order{}, fmt.Errorf("cancel order %s: %w", id, err)
	}
	return o, nil
}
