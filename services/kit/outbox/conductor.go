package outbox

import (
	"context"
	"log/slog"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

const (
	// gap is the least time between two reads that nothing but a Wake calls for: at
	// full load one read then serves the commits of several transactions.
	gap = 5 * time.Millisecond
	// tellGap is the least time between two words to other replicas.
	tellGap = 20 * time.Millisecond
	// clearPause is the pause after rows could not be deleted.
	clearPause = 200 * time.Millisecond
	// lastTries bounds the tries to delete what was confirmed once the relay stops or
	// its session is lost, and lastTimeout each. What stays is sent again by whoever
	// holds the shard then.
	lastTries   = 2
	lastTimeout = 2 * time.Second
	// finishTime is how long an unconfirmed batch may take once the relay stops: its
	// broker may be away. What is not confirmed stays in the table.
	finishTime = 5 * time.Second
	// sayEvery bounds how often failures are logged that go on.
	sayEvery = 10 * time.Second
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
	flying   int

	woken     bool // since the last read began
	untold    bool // other replicas have not been told of the last Wake
	pause     time.Duration
	readAt    time.Time // when to read next, unless woken
	lastRead  time.Time // when the last read began
	lastTold  time.Time
	readNot   time.Time // no read before, after one that failed
	clearNot  time.Time // no delete before, after one that failed
	triesLeft int
	said      map[destination]time.Time
}

type readResult struct {
	request request
	haul    haul
	err     error
}

type landing struct {
	flight  *flight
	results []error
	took    time.Duration
}

type clearing struct {
	clearance clearance
	err       error
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
		c.follow()
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
func (c *conductor) follow() {
	held := c.tenure.report(func(shard int) bool {
		return c.book.rows[shard] > 0 || (c.reading != nil && c.reading.covers(shard))
	})
	for shard := range Shards {
		switch {
		case held[shard] && !c.book.held[shard]:
			c.book.acquire(shard)
		case !held[shard] && c.book.held[shard]:
			c.book.release(shard)
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
		c.flying++
		go c.publish(sending, f)
	}
	if c.reading == nil && !now.Before(c.nextRead()) {
		c.read(work, now)
	}
	if c.untold && !c.telling && now.Sub(c.lastTold) >= tellGap {
		c.tell(work, now)
	}
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
	}
	c.readAt = now.Add(c.pause)
}

// publish sends a batch and reports what became of each row.
func (c *conductor) publish(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, c.relay.cfg.PublishTimeout)
	defer cancel()
	messages := make([]message.Message, len(f.units))
	for i, u := range f.units {
		messages[i] = u.rows[0].message
	}
	start := time.Now()
	var err error
	if p := c.relay.publishers[f.lane.to.broker]; p != nil {
		err = p.Publish(ctx, messages...)
	} else {
		err = fault.New(fault.Internal, "this relay has no publisher for the broker")
	}
	c.lands <- landing{f, message.Results(err, len(messages)), time.Since(start)}
}

func (c *conductor) settle(ctx context.Context, l landing) {
	c.flying--
	to := l.flight.lane.to
	v := c.book.settle(l.flight, l.results, time.Now())
	c.waiting.refused = append(c.waiting.refused, v.refused...)
	m := c.relay.metrics
	m.delay.WithLabelValues(to.labels()...).Observe(l.took.Seconds())
	m.settled(to, v)
	m.parked.WithLabelValues(to.labels()...).Set(float64(len(l.flight.lane.parked)))
	if ctx.Err() == nil { // else the failures are ours
		c.say(ctx, to, v)
	}
}

// say logs what somebody should know of a batch: failures at intervals, because
// they may go on for hours, and refusals one by one.
func (c *conductor) say(ctx context.Context, to destination, v verdict) {
	if v.first != nil && time.Since(c.said[to]) >= sayEvery {
		c.said[to] = time.Now()
		c.relay.log.WarnContext(ctx, "outbox rows not confirmed", "destination", to.String(),
			"confirmed", v.confirmed, "failed", v.failures(), "whole_destination", v.whole, "err", v.first)
	}
	for _, r := range v.refused {
		c.relay.log.LogAttrs(ctx, slog.LevelError, "message refused for good and set aside",
			slog.String("destination", to.String()), slog.String("message_id", r.message.ID),
			slog.String("message_type", r.message.Type), slog.String("subject", r.message.Subject),
			slog.Any("err", r.reason))
	}
}

// clear starts the next transaction of deletes, if none is under way. Whatever was
// confirmed meanwhile goes with it, so deletes overlap the publishes and grow with
// the load.
func (c *conductor) clear(work context.Context, now time.Time, stopping bool) {
	if c.clearing != nil || now.Before(c.clearNot) || c.triesLeft == 0 {
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
	if stopping && c.flying == 0 {
		c.triesLeft--
	}
	c.clearing = &next
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

// idle reports whether nothing runs beside the loop and nothing is left to delete.
func (c *conductor) idle() bool {
	if c.reading != nil || c.flying > 0 || c.clearing != nil || c.telling {
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
