package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// place is one partition of a topic.
type place struct {
	topic     string
	partition int32
}

// claim is one partition while this consumer has it: its lanes, what is
// unfinished, and how far may be committed.
type claim struct {
	place
	ctx  context.Context
	end  context.CancelFunc
	work *workshop

	mu    sync.Mutex
	track tracker
	// lanes are those of keys, alone those of messages without one.
	lanes map[string]*lane
	alone map[*lane]struct{}
	// inFlight and bytes are the unfinished messages in memory.
	inFlight int
	bytes    int64
	paused   bool
	// running is how many messages are being handled; idle is closed when there
	// are none any more and stopping is set.
	running  int
	stopping bool
	idle     chan struct{}
	// committed is the offset that the group is known to have, read is when the last
	// message came.
	committed int64
	read      time.Time
}

// newClaim returns the claim of a partition that is read from first on.
func newClaim(ctx context.Context, at place, first int64, w *workshop) *claim {
	ctx, end := context.WithCancel(ctx)
	return &claim{
		place: at, ctx: ctx, end: end, work: w,
		track: newTracker(first), lanes: map[string]*lane{}, alone: map[*lane]struct{}{}, idle: make(chan struct{}),
		committed: max(first, unknown), read: time.Now(),
	}
}

// add takes a message from the broker.
func (c *claim) add(r *sarama.ConsumerMessage) {
	detach(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &task{record: r, number: c.track.add(r.Offset), size: sizeOf(r)}
	c.inFlight++
	c.bytes += t.size
	c.read = time.Now()
	l := c.laneOf(r)
	l.tasks = append(l.tasks, t)
	if len(l.tasks) == 1 {
		c.work.pool.push(l)
	}
	if !c.paused && c.over(1) {
		c.pause(true)
	}
}

func (c *claim) laneOf(r *sarama.ConsumerMessage) *lane {
	if r.Key == nil {
		l := &lane{claim: c}
		c.alone[l] = struct{}{}
		return l
	}
	l, ok := c.lanes[string(r.Key)]
	if !ok {
		l = &lane{claim: c, key: string(r.Key), keyed: true}
		c.lanes[l.key] = l
	}
	return l
}

// over reports whether what is in flight exceeds one part-th of the bounds.
func (c *claim) over(part int) bool {
	messages, bytes := c.work.share()
	return c.inFlight >= max(messages/part, 1) || c.bytes >= max(bytes/int64(part), 1) ||
		c.track.ahead() >= max(c.work.cfg.MaxAhead/part, 1)
}

// pause stops or starts the reading. What a fetch has brought already is still
// delivered and added: the bounds hold to within one fetch.
func (c *claim) pause(on bool) {
	c.paused = on
	at := map[string][]int32{c.topic: {c.partition}}
	if on {
		c.work.metrics.paused.Inc()
		c.work.flow.Pause(at)
	} else {
		c.work.metrics.paused.Dec()
		c.work.flow.Resume(at)
	}
}

// serve handles the first message of a lane; a worker calls it.
func (c *claim) serve(l *lane) {
	t := c.take(l)
	if t == nil {
		return
	}
	v := c.work.attempt(c.ctx, t)
	c.put(l, t, v)
}

// take begins with the first message of a lane unless the claim lets go.
func (c *claim) take(l *lane) *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil
	}
	c.running++
	return l.tasks[0]
}

// put ends what take began.
func (c *claim) put(l *lane, t *task, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if v.done {
		c.finish(l, t)
	}
	switch {
	case c.stopping:
		c.leaveIfIdle()
	case !v.done:
		l.timer = time.AfterFunc(v.pause, func() { c.wake(l) })
	case len(l.tasks) > 0:
		c.work.pool.push(l)
	case l.keyed:
		delete(c.lanes, l.key)
	default:
		delete(c.alone, l)
	}
}

func (c *claim) finish(l *lane, t *task) {
	l.tasks[0] = nil
	l.tasks = l.tasks[1:]
	c.track.finish(t.number)
	c.inFlight--
	c.bytes -= t.size
	if c.paused && !c.stopping && !c.over(2) {
		c.pause(false)
	}
}

// wake puts a lane back to work after its pause.
func (c *claim) wake(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.work.pool.push(l)
	}
}

// drain begins no further message and waits for those being handled; after grace
// their context ends. Whatever is unfinished then is delivered again, here or
// elsewhere.
func (c *claim) drain(grace time.Duration) {
	c.mu.Lock()
	c.stopping = true
	c.eachLane(func(l *lane) {
		if l.timer != nil {
			l.timer.Stop()
		}
	})
	c.leaveIfIdle()
	if c.paused {
		c.pause(false)
	}
	c.mu.Unlock()
	timer := time.AfterFunc(grace, c.end)
	defer timer.Stop()
	<-c.idle
	c.end()
}

func (c *claim) leaveIfIdle() {
	if c.running == 0 {
		select {
		case <-c.idle:
		default:
			close(c.idle)
		}
	}
}

// show sets the metrics of the partition, unless the claim lets go.
func (c *claim) show(lag int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.work.metrics.observe(c.work.consumer.Group, c.place, standing{inFlight: c.inFlight, bytes: c.bytes}, lag)
	}
}

// forget drops the metrics and the alerts of what the claim leaves unfinished.
func (c *claim) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work.metrics.forget(c.work.consumer.Group, c.place)
	c.eachLane(func(l *lane) {
		for _, t := range l.tasks {
			c.work.unstick(t)
		}
	})
}

func (c *claim) eachLane(do func(*lane)) {
	for _, l := range c.lanes {
		do(l)
	}
	for l := range c.alone {
		do(l)
	}
}

// due returns the offset to commit, and whether the group does not have it yet.
func (c *claim) due() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := c.track.committable()
	return offset, offset > c.committed
}

// commit notes that the group has offset.
func (c *claim) commit(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committed = max(c.committed, offset)
}

// standing is a claim at one moment.
type standing struct {
	// position is the offset of the oldest unfinished message or of the next one.
	position int64
	inFlight int
	bytes    int64
	// quiet is for how long no message came.
	quiet time.Duration
}

func (c *claim) standing() standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return standing{
		position: c.track.committable(), inFlight: c.inFlight, bytes: c.bytes, quiet: time.Since(c.read),
	}
}

// skipTo notes that there is no message before offset that was not delivered.
func (c *claim) skipTo(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.track.skipTo(offset)
}
