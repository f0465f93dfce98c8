package rabbit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// calls records what a handler is given.
type calls struct {
	mu  sync.Mutex
	all []message.Message
}

func (c *calls) add(m message.Message) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, m)
	return len(c.all)
}

func (c *calls) list() []message.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]message.Message(nil), c.all...)
}

func (c *calls) len() int { return len(c.list()) }

// startConsumer consumes a place until the test ends, with short pauses.
func startConsumer(tb testing.TB, cfg Config, p *place, giveUp bool, h message.Handler) (*Consumer, func()) {
	tb.Helper()
	c := NewConsumer(cfg, ConsumerConfig{Queue: p.queue, Delays: p.delays, GiveUp: giveUp}, h, Options{})
	return c, run(tb, c.Run)
}

func TestLadderThenDeadLetter(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var seen calls
	startConsumer(t, settings(t), p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return fmt.Errorf("store: %w", errBroken)
	})
	m := p.message("key-1")
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), m))
	d := p.take(t, DeadLetterQueue(p.queue))
	for i, call := range seen.list() {
		if call.Delivery.Attempt != i+1 || call.To != m.To || call.ID != m.ID {
			t.Errorf("call %d: attempt %d of %s to %s", i+1, call.Delivery.Attempt, call.ID, call.To)
		}
	}
	if n := seen.len(); n != len(p.delays)+1 {
		t.Errorf("handled %d times, want once and once a rung", n)
	}
	want := amqp.Table{
		message.DeadAttempts: "3", message.DeadKind: "internal", message.DeadReason: "Internal Server Error",
		message.DeadPlace: p.queue, HeaderAttempts: nil, HeaderExchange: p.exchange, HeaderKey: p.key,
		"cloudEvents_id": m.ID,
	}
	for name, value := range want {
		if d.Headers[name] != value {
			t.Errorf("header %s = %v, want %v", name, d.Headers[name], value)
		}
	}
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(d.Headers[message.DeadTime])); err != nil {
		t.Error(err)
	}
}

func TestLastRungRepeatsAndAlerts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var seen calls
	c, _ := startConsumer(t, settings(t), p, false, func(_ context.Context, m message.Message) error {
		if seen.add(m) < 6 {
			return errBroken
		}
		return nil
	})
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	eventually(t, "the sixth attempt", func() bool { return seen.len() == 6 })
	if got := testutil.ToFloat64(c.metrics.exhausted); got != 3 {
		t.Errorf("%v alerts, want one for each failure past the last rung", got)
	}
	if last := seen.list()[5]; last.Delivery.Attempt != 6 {
		t.Errorf("the sixth attempt is number %d", last.Delivery.Attempt)
	}
	if n := p.depth(t, DeadLetterQueue(p.queue)); n != 0 {
		t.Errorf("%d messages were given up", n)
	}
}

func TestUnavailableGoesToTheLastRungUncounted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cfg := settings(t)
	cfg.HoldMax = 300 * time.Millisecond
	var seen calls
	var healthy atomic.Bool
	c, _ := startConsumer(t, cfg, p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		if healthy.Load() {
			return nil
		}
		return fault.New(fault.Unavailable, "no database")
	})
	must(t, startPublisher(t, cfg, Options{}).Publish(within(t), p.message("key-1")))
	postponed := c.metrics.consumed.WithLabelValues("postponed")
	eventually(t, "two stays on the last rung", func() bool { return testutil.ToFloat64(postponed) >= 2 })
	healthy.Store(true)
	done := c.metrics.consumed.WithLabelValues("done")
	eventually(t, "the message to be done", func() bool { return testutil.ToFloat64(done) == 1 })
	for i, call := range seen.list() {
		if call.Delivery.Attempt != 1 {
			t.Errorf("call %d is attempt %d: unavailability spent one", i+1, call.Delivery.Attempt)
		}
	}
	if n := p.depth(t, DeadLetterQueue(p.queue)); n != 0 {
		t.Errorf("%d messages were dead-lettered", n)
	}
}

func TestHoldWaitsAsLongAsTheDependencyAsks(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	times := make(chan time.Time, 2)
	var seen calls
	startConsumer(t, settings(t), p, true, func(_ context.Context, m message.Message) error {
		times <- time.Now()
		if seen.add(m) == 1 {
			return &fault.Error{Kind: fault.Unavailable, RetryAfter: 700 * time.Millisecond}
		}
		return nil
	})
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	first, second := <-times, <-times
	if d := second.Sub(first); d < 700*time.Millisecond {
		t.Errorf("called again after %v", d)
	}
}

// A held message at the front must not keep the acknowledgements of those behind it.
func TestHeldMessageDoesNotHoldTheAcknowledgementsOfOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	held := p.message("held")
	var seen calls
	c := NewConsumer(settings(t), ConsumerConfig{Queue: p.queue, Prefetch: 4, Delays: p.delays},
		func(_ context.Context, m message.Message) error {
			if m.ID == held.ID {
				return fault.New(fault.Unavailable, "no database")
			}
			seen.add(m)
			return nil
		}, Options{})
	run(t, c.Run)
	publisher := startPublisher(t, settings(t), Options{})
	must(t, publisher.Publish(within(t), held))
	must(t, publisher.Publish(within(t), p.messages(50)...))
	eventually(t, "the others to flow through a prefetch of 4", func() bool { return seen.len() == 50 })
}

func TestWorkersBoundWhatIsHandledAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var now, most, done atomic.Int32
	c := NewConsumer(settings(t), ConsumerConfig{Queue: p.queue, Prefetch: 30, Workers: 3, Delays: p.delays},
		func(ctx context.Context, _ message.Message) error {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			pause(ctx, time.Millisecond, nil)
			done.Add(1)
			return nil
		}, Options{})
	run(t, c.Run)
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.messages(60)...))
	eventually(t, "all messages", func() bool { return done.Load() == 60 })
	if most.Load() != 3 {
		t.Errorf("%d were handled at once, want 3", most.Load())
	}
}

func TestConsumerAcknowledgesManyAtOnceAndAllThatItHandled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	const total = 2000
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.messages(total)...))
	var seen calls
	_, stop := startConsumer(t, cfg, p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return nil
	})
	eventually(t, "half of the messages", func() bool { return seen.len() >= total/2 })
	stop()
	eventually(t, "what was not handled to be in the queue, and nothing else", func() bool {
		return p.depth(t, p.queue) == total-seen.len()
	})
	if n := tapped.count(basicAck); n > seen.len()/2 {
		t.Errorf("%d acknowledgements for %d messages", n, seen.len())
	}
}

func TestHandlersEndWithTheHardStop(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	entered := make(chan struct{})
	c := NewConsumer(settings(t), ConsumerConfig{Queue: p.queue, Delays: p.delays},
		func(ctx context.Context, _ message.Message) error {
			close(entered)
			<-ctx.Done()
			return ctx.Err()
		}, Options{})
	stop := hardStop(t, c.Run)
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	<-entered
	stop()
	d := p.take(t, p.queue)
	if d.MessageId == "" || d.Headers[HeaderAttempts] != nil {
		t.Errorf("the message that was cut off came back as %v", d.Headers)
	}
}
