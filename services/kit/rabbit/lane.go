package rabbit

import "context"

// lane carries the messages of some keys, over one channel of each session. Who
// holds its turn publishes; those who wait for confirms need no turn.
type lane struct {
	turn   chan struct{} // holds one element while somebody publishes
	slots  chan struct{} // one element a message in flight
	outlet *outlet       // belongs to the turn; nil before the first
}

func newLane(window int) *lane {
	return &lane{turn: make(chan struct{}, 1), slots: make(chan struct{}, window)}
}

// carry writes items in one turn and waits for their confirms without it. It returns
// the items that are undecided, and the outlet if it was its end that left them so.
func (l *lane) carry(ctx context.Context, link *link, items []*item) (rest []*item, ended *outlet, err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return items, nil, ctx.Err()
	}
	o, err := l.open(ctx, link)
	if err != nil {
		<-l.turn
		return items, nil, err
	}
	t := transfer{outlet: o, slots: l.slots, items: items}
	err = t.write(ctx)
	<-l.turn
	return t.outcome(ctx, err)
}

// outcome waits for what was written and tells a caller's end from the channel's.
func (t *transfer) outcome(ctx context.Context, written error) (rest []*item, ended *outlet, err error) {
	err = t.finish(ctx)
	rest = undecided(t.items)
	switch {
	case len(rest) == 0:
		return nil, nil, nil
	case ctx.Err() != nil:
		return rest, nil, ctx.Err()
	case !t.outlet.alive():
		return rest, t.outlet, nil
	case err == nil:
		err = written
	}
	return rest, nil, err
}

// open returns the channel of the current session. It opens a new one also when
// senders have abandoned messages on the old one and nobody else waits there, or too
// many have: an outlet that waits for confirms which never come grows.
func (l *lane) open(ctx context.Context, link *link) (*outlet, error) {
	s, err := link.wait(ctx)
	if err != nil {
		return nil, err
	}
	if l.outlet != nil && l.outlet.session == s && l.outlet.alive() && !l.tired() {
		return l.outlet, nil
	}
	if l.outlet != nil {
		s.detach(l.outlet.close)
		l.outlet = nil
	}
	o, err := openOutlet(ctx, s, cap(l.slots))
	if err != nil {
		return nil, err
	}
	l.outlet = o
	return o, nil
}

func (l *lane) tired() bool {
	n := int(l.outlet.abandoned.Load())
	return n > 0 && (len(l.slots) == 0 || n > cap(l.slots)/2)
}
