package rabbit

import "context"

// transfer is one caller's items on their way through one outlet: written in
// order while there are slots, settled in order as confirms come. Each item that
// is written and not settled holds one slot.
type transfer struct {
	outlet *outlet
	slots  chan struct{}
	items  []*item
	// items[:settled] are settled, items[settled:written] are in flight.
	written, settled int
}

// write sends the items. It stops early when ctx ends or the channel does, with the
// error that says so.
func (t *transfer) write(ctx context.Context) error {
	for t.written < len(t.items) {
		if err := t.outlet.session.clear(ctx); err != nil {
			return err
		}
		if err := t.takeSlot(ctx); err != nil {
			return err
		}
		if err := t.outlet.publish(t.items[t.written]); err != nil {
			<-t.slots
			return err
		}
		t.written++
	}
	return nil
}

// takeSlot waits for room in the window. While this transfer has items in flight it
// waits for the oldest of them: nobody else would free their slots.
func (t *transfer) takeSlot(ctx context.Context) error {
	for {
		select {
		case t.slots <- struct{}{}:
			return nil
		default:
		}
		if t.settled < t.written {
			if err := t.settle(ctx); err != nil {
				return err
			}
			continue
		}
		select {
		case t.slots <- struct{}{}:
			return nil
		case <-t.outlet.session.done:
			return errLost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settle waits for the oldest item in flight. A confirm that is there counts, also
// when ctx has ended.
func (t *transfer) settle(ctx context.Context) error {
	i := t.items[t.settled]
	select {
	case <-i.confirm.Done():
	default:
		select {
		case <-i.confirm.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	t.outlet.judge(i)
	t.settled++
	<-t.slots
	return nil
}

// finish settles what is in flight. When ctx ends it lets go of the rest.
func (t *transfer) finish(ctx context.Context) error {
	for t.settled < t.written {
		if err := t.settle(ctx); err != nil {
			t.abandon()
			return err
		}
	}
	return nil
}

// abandon frees the slots of what is in flight and keeps no promise about it.
func (t *transfer) abandon() {
	left := t.written - t.settled
	t.outlet.abandoned.Add(int32(left)) //nolint:gosec // at most one window
	for range left {
		<-t.slots
	}
	t.settled = t.written
}

// undecided returns the items that nobody has decided, in order.
func undecided(items []*item) []*item {
	var rest []*item
	for _, i := range items {
		if !i.decided {
			rest = append(rest, i)
		}
	}
	return rest
}
