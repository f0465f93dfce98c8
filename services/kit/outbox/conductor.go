package outbox

import (
	"context"
	"time"
)

// conductor works on the shards of one session. Its one loop owns the book; reads,
// publishes and deletes run beside it and report back.
type conductor struct {
	relay  *Relay
	store  *store
	book   *book
	tenure *tenure
	fresh  time.Duration // how old a beat may be for a batch to begin

	reads  chan readResult
	lands  chan landing
	clears chan clearing
	tells  chan struct{}

	reading  *request // the read under way, since lastRead
	clearing *clearance
	waiting  clearance // refused rows that wait to be set aside
	telling  bool
	// flights are the batches in flight, and how to cut each off.
	flights map[*flight]context.CancelFunc
	// hurryAt is when what is in flight of shards that were given up is cut off.
	hurryAt time.Time

	woken     bool // since the last read began
	untold    bool // other replicas have not been told of the last Wake
	pause     time.Duration
	readAt    time.Time // when to read next, unless woken
	lastRead  time.Time // when the last read began
	lastTold  time.Time
	readNot   time.Time // no read before, after one that failed
	lastClear time.Time // when the last delete began
	clearNot  time.Time // no delete before, after one that failed
	triesLeft int
	said      map[destination]time.Time
}

func newConductor(r *Relay, s *store, t *tenure) *conductor {
	return &conductor{
		relay: r, store: s, tenure: t, book: newBook(r.cfg), fresh: r.timing.fresh,
		reads:     make(chan readResult),
		lands:     make(chan landing),
		clears:    make(chan clearing),
		tells:     make(chan struct{}),
		pause:     r.cfg.PollMin,
		triesLeft: lastTries,
		said:      map[destination]time.Time{},
		flights:   map[*flight]context.CancelFunc{},
	}
}

// run works until ctx ends, which lets it finish what is in flight, or work ends,
// which cuts it off. Either way it deletes what was confirmed before it returns.
func (c *conductor) run(ctx, work context.Context) {
	sending, cutOff := context.WithCancel(work)
	defer cutOff()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cutOff) })()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		stopping := ctx.Err() != nil || work.Err() != nil
		c.follow(now)
		c.hurry(now)
		if !stopping {
			c.begin(work, sending, now)
		}
		c.clear(work, now, stopping)
		if stopping && c.idle() {
			return
		}
		timer.Reset(c.next(now, stopping))
		c.wait(ctx, work, stopping, timer)
	}
}

// wait waits for the next thing to happen and takes it in.
func (c *conductor) wait(ctx, work context.Context, stopping bool, timer *time.Timer) {
	var stop, lost <-chan struct{} // nil once they are known
	if !stopping {
		stop, lost = ctx.Done(), work.Done()
	}
	select {
	case <-stop:
	case <-lost:
	case <-timer.C:
	case <-c.tenure.changed:
		c.woken = true // a shard that was just taken may hold rows
	case <-c.relay.wake:
		c.woken, c.untold = true, true
	case <-c.relay.heard:
		c.woken = true
	case r := <-c.reads:
		c.admit(work, r)
	case l := <-c.lands:
		c.settle(work, l)
	case d := <-c.clears:
		c.cleared(work, d)
	case <-c.tells:
		c.telling = false
	}
}

// follow brings the book in line with the shards that the session holds.
func (c *conductor) follow(now time.Time) {
	held := c.tenure.report(func(shard int) bool {
		return c.book.rows[shard] > 0 || (c.reading != nil && c.reading.covers(shard))
	})
	for shard := range Shards {
		switch {
		case held[shard] && !c.book.held[shard]:
			c.book.acquire(shard)
		case !held[shard] && c.book.held[shard]:
			c.book.release(shard)
			c.hurryAt = now.Add(finishTime)
		}
	}
}

func (q *request) covers(shard int) bool {
	for _, s := range q.shards {
		if int(s) == shard {
			return true
		}
	}
	return false
}

// begin starts what there is to start: publishes first, then the next read.
func (c *conductor) begin(work, sending context.Context, now time.Time) {
	if !c.tenure.fresh(now, c.fresh) {
		return // the server may have given the shards away: wait for the next beat
	}
	for _, f := range c.book.take(now) {
		c.launch(sending, f)
	}
	if c.reading == nil && !now.Before(c.nextRead()) {
		c.read(work, now)
	}
	if c.untold && !c.telling && now.Sub(c.lastTold) >= tellGap {
		c.tell(work, now)
	}
}

// idle reports whether nothing runs beside the loop and nothing is left to delete.
func (c *conductor) idle() bool {
	if c.reading != nil || len(c.flights) > 0 || c.clearing != nil || c.telling {
		return false
	}
	return c.triesLeft == 0 || (c.waiting.empty() && c.book.done() == 0)
}

// next returns how long to wait for something to happen.
func (c *conductor) next(now time.Time, stopping bool) time.Duration {
	at := now.Add(c.relay.cfg.PollMax)
	earlier := func(t time.Time) {
		if t.After(now) && t.Before(at) {
			at = t
		}
	}
	earlier(c.clearNot)
	if c.clearing == nil && (c.book.done() > 0 || !c.waiting.empty()) {
		earlier(c.lastClear.Add(clearGap))
	}
	earlier(c.hurryAt)
	if !stopping {
		if c.reading == nil {
			earlier(c.nextRead())
		}
		earlier(c.book.next(now))
		if c.untold && !c.telling {
			earlier(c.lastTold.Add(tellGap))
		}
	}
	return at.Sub(now)
}
