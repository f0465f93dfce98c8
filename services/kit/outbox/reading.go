package outbox

import (
	"context"
	"time"
)

const (
	// gap is the least time between two reads that nothing but a Wake calls for: at
	// full load one read then serves the commits of several transactions.
	gap = 5 * time.Millisecond
	// tellGap is the least time between two words to other replicas.
	tellGap = 20 * time.Millisecond
)

type readResult struct {
	request request
	haul    haul
	err     error
}

// nextRead returns when the next read is due.
func (c *conductor) nextRead() time.Time {
	at := c.readAt
	switch {
	case c.book.backlog():
		at = c.lastRead
	case c.woken:
		at = c.lastRead.Add(gap)
	}
	if at.Before(c.readNot) {
		return c.readNot
	}
	return at
}

func (c *conductor) read(work context.Context, now time.Time) {
	q := c.book.begin(now)
	c.lastRead, c.woken = now, false
	if len(q.shards) == 0 {
		c.readAt = now.Add(c.relay.cfg.PollMax)
		return
	}
	c.reading = &q
	c.relay.metrics.reads.Inc()
	go func() {
		h, err := c.store.read(work, q, c.relay.cfg.BufferBytes)
		c.reads <- readResult{q, h, err}
	}()
}

// admit takes in a read. The poll slows down while there is nothing to read, and when
// a read takes long for what it brings: where somebody's old snapshot keeps vacuum
// away, it walks over all that was deleted since.
func (c *conductor) admit(ctx context.Context, r readResult) {
	c.reading = nil
	now := time.Now()
	if len(r.haul.rows) < c.relay.cfg.Batch {
		c.readNot = now.Add(2 * now.Sub(c.lastRead))
	}
	switch {
	case r.err != nil:
		c.readNot = now.Add(c.relay.cfg.PollMax)
		c.relay.log.WarnContext(ctx, "outbox not read", "err", r.err)
	case len(r.haul.rows) > 0:
		c.pause = c.relay.cfg.PollMin
		c.book.admit(r.request, r.haul)
	default:
		c.pause = min(2*c.pause, c.relay.cfg.PollMax)
		c.book.admit(r.request, r.haul) // nothing is news too: there is no backlog
	}
	c.readAt = now.Add(c.pause)
}

// tell wakes the relays of other replicas if rows may lie in their shards. One that
// is not told polls.
func (c *conductor) tell(work context.Context, now time.Time) {
	c.untold = false
	if c.book.holdsAll() {
		return
	}
	c.telling, c.lastTold = true, now
	go func() {
		if err := c.store.tell(work, c.relay.id); err != nil {
			c.relay.log.DebugContext(work, "other replicas not woken", "err", err)
		}
		c.tells <- struct{}{}
	}()
}
