package outbox

import (
	"context"
	"time"
)

const (
	// clearGap is the least time between two transactions of deletes, unless
	// clearMany rows wait. What is not deleted yet is merely left out by reads.
	clearGap  = 20 * time.Millisecond
	clearMany = 500
	// clearPause is the pause after rows could not be deleted.
	clearPause = 200 * time.Millisecond
	// lastTries bounds the tries to delete what was confirmed once the relay stops or
	// its session is lost, and lastTimeout each. What stays is sent again by whoever
	// holds the shard then.
	lastTries   = 2
	lastTimeout = 2 * time.Second
)

type clearing struct {
	clearance clearance
	err       error
}

// clear starts the next transaction of deletes, if none is under way. Whatever was
// confirmed meanwhile goes with it, so deletes overlap the publishes and grow with
// the load.
func (c *conductor) clear(work context.Context, now time.Time, stopping bool) {
	if c.clearing != nil || now.Before(c.clearNot) || c.triesLeft == 0 {
		return
	}
	if !stopping && now.Before(c.lastClear.Add(clearGap)) && c.book.done() < clearMany {
		return
	}
	next := c.waiting
	c.waiting = clearance{}
	next.take(c.book)
	if next.empty() {
		return
	}
	limit := storeTimeout
	if stopping {
		limit = lastTimeout
		// The rows are confirmed: deleting them is right whoever holds the shard.
		work = context.WithoutCancel(work)
	}
	if stopping && len(c.flights) == 0 {
		c.triesLeft--
	}
	c.clearing, c.lastClear = &next, now
	go func() { c.clears <- clearing{next, c.store.clear(work, limit, next)} }()
}

// take adds the rows of b that are confirmed.
func (n *clearance) take(b *book) {
	for to, l := range b.lanes {
		if len(l.done) == 0 {
			continue
		}
		if n.confirmed == nil {
			n.confirmed = map[destination][]place{}
		}
		n.confirmed[to] = append(n.confirmed[to], l.done...)
		l.done = nil
	}
}

func (c *conductor) cleared(ctx context.Context, d clearing) {
	c.clearing = nil
	if d.err != nil {
		c.relay.log.WarnContext(ctx, "outbox rows not deleted", "err", d.err)
		c.clearNot = time.Now().Add(clearPause)
		c.waiting.refused = append(c.waiting.refused, d.clearance.refused...)
		c.waiting.confirmed = d.clearance.confirmed
		return
	}
	for to, places := range d.clearance.confirmed {
		c.book.forget(to, places...)
	}
	for _, r := range d.clearance.refused {
		c.book.forget(r.to, r.place)
	}
}
