package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// TestClaim plays a partition to claims that follow one another, with random
// failures, and lets them go at random moments: in order, with handlers that do not
// finish, or without a last commit while they go on (as after a lost session). It
// holds that no commit passes an unfinished message, that a key is handled in order
// and by one worker at a time, that no more is in flight than the bounds say, and
// that in the end everything is finished and committed.
func TestClaim(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		sessions := rapid.SliceOfN(anySession(), 0, 4).Draw(rt, "sessions")
		synctest.Test(t, func(*testing.T) {
			for _, s := range sessions {
				w.play(s)
			}
			w.finished()
		})
		for _, text := range w.broken {
			rt.Error(text)
		}
	})
}

// plan is what happens to one claim.
type plan struct {
	// commits are the times between commits.
	commits []time.Duration
	// grace is what handlers have to finish.
	grace time.Duration
	// lost is a session that ends without a word: no last commit, and its handlers go
	// on beside those of the next.
	lost bool
}

func anySession() *rapid.Generator[plan] {
	ms := func(t *rapid.T, most int, name string) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
	}
	return rapid.Custom(func(t *rapid.T) plan {
		p := plan{grace: ms(t, 20_000, "grace"), lost: rapid.Bool().Draw(t, "lost")}
		for range rapid.IntRange(0, 10).Draw(t, "commits") {
			p.commits = append(p.commits, ms(t, 30_000, "until the commit"))
		}
		return p
	})
}

// world is one partition and what must be true of it.
type world struct {
	log       []*sarama.ConsumerMessage
	end       int64
	committed int64
	cfg       Config
	giveUp    bool
	zombies   sync.WaitGroup

	mu       sync.Mutex
	outcomes map[int64][]outcome
	done     map[int64]bool
	broken   []string
}

// outcome is what one call of the handler does.
type outcome struct {
	takes time.Duration
	err   error
}

func newWorld(t *rapid.T) *world {
	w := &world{
		committed: 0, outcomes: map[int64][]outcome{}, done: map[int64]bool{}, giveUp: rapid.Bool().Draw(t, "give up"),
		cfg: Config{
			Workers:          rapid.IntRange(1, 8).Draw(t, "workers"),
			MaxInFlight:      rapid.IntRange(1, 30).Draw(t, "max in flight"),
			MaxAhead:         rapid.IntRange(1, 60).Draw(t, "max ahead"),
			RebalanceTimeout: 10 * time.Second,
		}.withDefaults(),
	}
	keys := rapid.IntRange(1, 6).Draw(t, "keys")
	for range rapid.IntRange(0, 80).Draw(t, "messages") {
		w.end += int64(rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "gap"))
		r := record(w.end, rapid.IntRange(0, keys).Draw(t, "key"))
		w.outcomes[w.end] = rapid.SliceOfN(anyOutcome(), 0, 4).Draw(t, "outcomes")
		w.log = append(w.log, r)
		w.end++
	}
	return w
}

// record makes a message of a key; 0 is none.
func record(offset int64, key int) *sarama.ConsumerMessage {
	m := testMessage("Things", fmt.Sprintf("key-%d", key))
	r := &sarama.ConsumerMessage{Topic: "Things", Offset: offset, Value: m.Data}
	if key > 0 {
		r.Key = []byte(m.Key)
	}
	for name, value := range m.Attributes(message.KafkaPrefix) {
		r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
	}
	return r
}

func anyOutcome() *rapid.Generator[outcome] {
	errs := []error{
		nil, nil, errors.New("boom"), fault.New(fault.Unavailable, "away"), fault.New(fault.Invalid, "bad"),
		fault.New(fault.Conflict, "so"), fault.New(fault.NotFound, "where"),
	}
	return rapid.Custom(func(t *rapid.T) outcome {
		return outcome{
			takes: time.Duration(rapid.IntRange(0, 20_000).Draw(t, "takes")) * time.Millisecond,
			err:   rapid.SampledFrom(errs).Draw(t, "err"),
		}
	})
}

// next takes the outcome of a call from the script, then success at once.
func (w *world) next(offset int64) outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	if script := w.outcomes[offset]; len(script) > 0 {
		w.outcomes[offset] = script[1:]
		return script[0]
	}
	return outcome{takes: time.Millisecond}
}

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

func (w *world) finish(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[offset] = true
}

// play is one claim from its assignment to its end.
func (w *world) play(p plan) {
	s := newSession(w)
	fed := make(chan struct{})
	go func() { defer close(fed); s.feed(w) }()
	for _, after := range p.commits {
		<-time.After(after)
		s.commit(w)
	}
	close(s.revoked)
	<-fed
	if p.lost {
		w.zombies.Go(func() { s.claim.drain(p.grace) })
		return
	}
	s.claim.drain(p.grace)
	s.letGo(w)
	s.commit(w)
}

// session of the model: one claim, and how its keys stand.
type session struct {
	claim   *claim
	revoked chan struct{}
	flow    *valve

	mu      sync.Mutex
	busy    map[string]bool
	reached map[string]int64
	running int
	// over says that the claim was let go.
	over bool
}

func newSession(w *world) *session {
	s := &session{
		revoked: make(chan struct{}), flow: &valve{open: true, changed: make(chan struct{}, 1)},
		busy: map[string]bool{}, reached: map[string]int64{},
	}
	work := &workshop{
		cfg: w.cfg, consumer: ConsumerConfig{Group: "group", GiveUp: w.giveUp, MaxAttempts: 3},
		pool: newPool(w.cfg.Workers), flow: s.flow, metrics: newConsumerMetrics(nil, "group"),
		log:     slog.New(slog.DiscardHandler),
		handler: func(ctx context.Context, m message.Message) error { return s.handle(ctx, w, m) },
		send:    func(ctx context.Context, r *sarama.ConsumerMessage, _ *letter) error { return s.setAside(ctx, w, r) },
	}
	s.claim = newClaim(context.Background(), place{topic: "Things"}, w.committed, work)
	return s
}

func (s *session) handle(ctx context.Context, w *world, m message.Message) error {
	offset := m.Delivery.Offset
	s.enter(w, m.Key, offset)
	defer s.leave(m.Key)
	o := w.next(offset)
	select {
	case <-time.After(o.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if o.err == nil || fault.Is(o.err, fault.Conflict) {
		w.finish(offset)
	}
	return o.err
}

func (s *session) enter(w *world, key string, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running++
	if s.over || s.running > w.cfg.Workers {
		w.violate("offset %d begins as number %d of %d workers, let go: %t", offset, s.running, w.cfg.Workers, s.over)
	}
	if key == "" {
		return
	}
	if s.busy[key] {
		w.violate("%s is handled twice at once at offset %d", key, offset)
	}
	if offset < s.reached[key] {
		w.violate("%s: offset %d after %d", key, offset, s.reached[key])
	}
	s.busy[key] = true
	s.reached[key] = offset
}

func (s *session) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.busy[key] = false
}

// letGo is called when the claim has been let go.
func (s *session) letGo(w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.running != 0 {
		w.violate("%d messages are being handled after the claim was let go", s.running)
	}
}

// setAside fails as the handler's script says.
func (s *session) setAside(ctx context.Context, w *world, r *sarama.ConsumerMessage) error {
	o := w.next(r.Offset)
	select {
	case <-time.After(o.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if o.err == nil {
		w.finish(r.Offset)
	}
	return o.err
}

// feed brings messages as sarama does: nothing while the partition is paused, but
// for what one fetch has brought already.
func (s *session) feed(w *world) {
	left := 0
	for _, r := range w.log {
		if r.Offset < s.claim.standing().position {
			continue
		}
		for left == 0 && !s.flow.isOpen() {
			select {
			case <-s.flow.changed:
			case <-s.revoked:
				return
			}
		}
		if left == 0 {
			left = fetchMessages
		}
		left--
		select {
		case <-s.revoked:
			return
		default:
		}
		s.claim.add(fetch(r))
		if n := s.claim.standing().inFlight; n > w.cfg.MaxInFlight+fetchMessages {
			w.violate("%d messages in flight, bound %d", n, w.cfg.MaxInFlight)
		}
	}
}

// fetchMessages is what a fetch of the model brings.
const fetchMessages = 5

// fetch gives each claim a record of its own.
func fetch(r *sarama.ConsumerMessage) *sarama.ConsumerMessage {
	fetched := *r
	fetched.Headers = make([]*sarama.RecordHeader, len(r.Headers))
	for i, h := range r.Headers {
		fetched.Headers[i] = &sarama.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return &fetched
}

// commit does what the committer does.
func (s *session) commit(w *world) {
	offset, due := s.claim.due()
	if !due {
		return
	}
	w.mu.Lock()
	for _, r := range w.log {
		if r.Offset < offset && !w.done[r.Offset] {
			w.broken = append(w.broken, fmt.Sprintf("commit of %d passes the unfinished %d", offset, r.Offset))
		}
	}
	w.committed = max(w.committed, offset)
	w.mu.Unlock()
	s.claim.commit(offset)
}

// finished plays a last claim without failures and expects the end.
func (w *world) finished() {
	w.zombies.Wait()
	clear(w.outcomes)
	w.play(plan{commits: []time.Duration{time.Hour}, grace: time.Hour})
	if len(w.log) > 0 && w.committed != w.end {
		w.violate("committed %d in the end, want %d", w.committed, w.end)
	}
}

// valve is a flow that a feeder follows.
type valve struct {
	mu      sync.Mutex
	open    bool
	changed chan struct{}
}

func (v *valve) Pause(map[string][]int32)  { v.set(false) }
func (v *valve) Resume(map[string][]int32) { v.set(true) }

func (v *valve) set(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = open
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

func (v *valve) isOpen() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open
}
