package order

import (
	"context"
	"errors"
	"fmt"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/machine"
)

// Place takes an order in, or returns the one that its key belongs to. Invalid: a
// field breaks a rule. Conflict: too little stock; ErrKeyReused. Unavailable: the
// stock cannot be checked or the order not be written; the same key may be tried
// again, whatever has become of the first try.
func (s *Service) Place(ctx context.Context, r Request) (Order, error) {
	if err := r.Validate(); err != nil {
		return Order{}, err
	}
	if o, found, err := s.placed(ctx, r); found || err != nil {
		return o, err
	}
	c, err := s.draft(ctx, r)
	if err != nil {
		return s.refuse(ctx, r, err)
	}
	key := Key{
		CustomerID: r.CustomerID, Key: r.Key, Fingerprint: r.Fingerprint(),
		OrderID: c.Order.ID, At: c.Order.PlacedAt,
	}
	err = s.store.Create(ctx, c, key)
	if errors.Is(err, ErrKeyTaken) {
		return s.refuse(ctx, r, err)
	}
	if err != nil {
		return Order{}, fmt.Errorf("create order: %w", err)
	}
	return c.Order, nil
}

// placed returns the order that the key of r belongs to, if it was used.
func (s *Service) placed(ctx context.Context, r Request) (Order, bool, error) {
	k, err := s.store.Key(ctx, r.CustomerID, r.Key)
	if fault.Is(err, fault.NotFound) {
		return Order{}, false, nil
	}
	if err != nil {
		return Order{}, false, fmt.Errorf("look up the key: %w", err)
	}
	if k.Fingerprint != r.Fingerprint() {
		return Order{}, false, ErrKeyReused
	}
	o, err := s.store.Order(ctx, k.OrderID)
	return o, err == nil, err
}

// refuse answers err, unless the key is used by now. Of two equal requests for the
// last piece the second may find the key free, then the winner's order takes the
// piece, then the check of the second finds none: it must answer the winner's
// order, not that there is no stock.
func (s *Service) refuse(ctx context.Context, r Request, err error) (Order, error) {
	if o, found, keyErr := s.placed(ctx, r); found || errors.Is(keyErr, ErrKeyReused) {
		return o, keyErr
	}
	if errors.Is(err, ErrKeyTaken) { // and forgotten again, or not readable now
		return Order{}, fault.Wrap(fault.Unavailable, err, "the order cannot be read at the moment")
	}
	return Order{}, err
}

// draft checks and prices what is wanted and makes an order of it.
func (s *Service) draft(ctx context.Context, r Request) (Change, error) {
	items, err := s.availability.Price(ctx, r.Items)
	if err != nil {
		return Change{}, err
	}
	amount, err := Total(items)
	if err != nil {
		return Change{}, err
	}
	at := s.now()
	o := Order{
		ID: s.newID(), CustomerID: r.CustomerID, Items: items, Amount: amount,
		Level: r.Level, Address: r.Address, Trace: s.trace(ctx),
		PlacedAt: at, DeadlineAt: at.Add(s.timing.Deadline),
	}
	c := o.change(machine.New(), at, s.timing)
	c.Token = r.Token
	return c, nil
}
