package rabbit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// The hazard this guards against: a handler finishes after its session died, and its
// acknowledgement, sent over the new session, takes a message there that only
// happens to have the same delivery tag.
func TestStaleDeliveryCannotAcknowledgeIntoANewSession(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	entered := make(chan int, 10)
	release := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	var seen calls
	c := NewConsumer(cfg, ConsumerConfig{Queue: p.queue, Delays: p.delays}, func(_ context.Context, m message.Message) error {
		n := seen.add(m)
		entered <- n
		<-release[n-1]
		return nil
	}, Options{Name: p.queue})
	run(t, c.Run)
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))

	<-entered
	forceClose(t, p.queue)
	<-entered // the same message, the same tag, over a new session
	close(release[0])
	eventually(t, "the old handler to find its session gone", func() bool {
		return testutil.ToFloat64(c.metrics.stale) == 1
	})
	if n := tapped.count(basicAck); n != 0 {
		t.Errorf("%d acknowledgements were sent while the message was still being handled", n)
	}
	tapped.cut()
	<-entered // it was not acknowledged, so it comes a third time
	close(release[1])
	eventually(t, "the second handler to find its session gone", func() bool {
		return testutil.ToFloat64(c.metrics.stale) == 2
	})
	close(release[2])
	eventually(t, "the third to be acknowledged", func() bool { return tapped.count(basicAck) == 1 })
}

func TestQueueDeletedAndMadeAgainIsConsumedAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var seen calls
	c, _ := startConsumer(t, settings(t), p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return nil
	})
	publisher := startPublisher(t, settings(t), Options{})
	must(t, publisher.Publish(within(t), p.message("key-1")))
	eventually(t, "the first message", func() bool { return seen.len() == 1 })

	p.deleteQueue(t)
	eventually(t, "the trouble to show", func() bool { return fault.Is(c.Err(), fault.Unavailable) })
	p.declareQueue(t)
	must(t, publisher.Publish(within(t), p.message("key-1")))
	eventually(t, "the second message", func() bool { return seen.len() == 2 })
	must(t, c.Err())
}

func TestConsumerWaitsForItsQueue(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.deleteQueue(t)
	handled := make(chan struct{})
	c, _ := startConsumer(t, settings(t), p, true, func(context.Context, message.Message) error {
		close(handled)
		return nil
	})
	eventually(t, "the broker to say that it is missing", func() bool {
		var e *amqp.Error
		return errors.As(c.Err(), &e) && e.Code == amqp.NotFound
	})
	p.declareQueue(t)
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	<-handled
}

// The broker closes the consumer's channel over a mistake on it, here one that the
// tap slips in. What was unacknowledged comes again over a new channel.
func TestChannelErrorIsSurvived(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	entered, release := make(chan struct{}, 10), make(chan struct{})
	var seen calls
	c, _ := startConsumer(t, cfg, p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		entered <- struct{}{}
		<-release
		return nil
	})
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	<-entered
	tapped.opened()[0].sendServer(methodFrame(1, basicAck, 0, 0, 0, 0, 0, 0, 0, 99, 0))
	<-entered
	close(release)
	done, abandoned := c.metrics.consumed.WithLabelValues("done"), c.metrics.consumed.WithLabelValues("abandoned")
	eventually(t, "both deliveries to end", func() bool {
		return testutil.ToFloat64(done) == 1 && testutil.ToFloat64(abandoned) == 1
	})
	if got := testutil.ToFloat64(c.link.connections); got != 1 {
		t.Errorf("%v connections were made, want the channel alone to be replaced", got)
	}
}

// An answer that nobody asked for stops the client library's reader, while
// heartbeats go on. The session must be replaced, or the consumer is silent for ever.
func TestStuckReaderIsNoticed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	cfg.Heartbeat = 2 * time.Second
	var seen calls
	c, _ := startConsumer(t, cfg, p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return nil
	})
	eventually(t, "the queue to be consumed", func() bool { return c.Err() == nil })
	tapped.opened()[0].sendClient(methodFrame(1, basicConsumeOK, shortText("parley-1")...))
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	eventually(t, "the message", func() bool { return seen.len() == 1 })
	if got := testutil.ToFloat64(c.link.connections); got < 2 {
		t.Errorf("%v connections were made: the reader was not stuck, so nothing is shown", got)
	}
}

// A rung that is not there: the message stays with the broker and the trouble shows,
// until somebody makes the rung.
func TestMissingRungKeepsTheMessage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := p.raw.QueueDelete(RetryQueue(p.queue, p.delays[0]), false, false, false)
	must(t, err)
	tapped, cfg := newTap(t)
	var seen calls
	c, _ := startConsumer(t, cfg, p, true, func(_ context.Context, m message.Message) error {
		if seen.add(m) == 1 {
			return errBroken
		}
		return nil
	})
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), p.message("key-1")))
	eventually(t, "the trouble to show", func() bool { return testutil.ToFloat64(c.metrics.stuck) == 1 })
	if n := tapped.count(basicAck); n != 0 {
		t.Error("a message that could not be moved was acknowledged")
	}
	p.declare(t, RetryQueue(p.queue, p.delays[0]), DelayKey(p.delays[0]), rungArguments(p.queue, p.delays[0]))
	eventually(t, "the second attempt", func() bool { return seen.len() == 2 })
	if got := testutil.ToFloat64(c.metrics.stuck); got != 0 {
		t.Errorf("rabbit_stuck is %v after the message was moved", got)
	}
}

// Properties by which a stranger could have the broker refuse, expire or multiply
// the copy of a message.
func TestForeignPropertiesDoNotFollowToTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	startConsumer(t, settings(t), p, true, func(context.Context, message.Message) error { return nil })
	user, err := amqp.ParseURI(servertest.AMQP(t)) // the broker refuses to be told of another
	must(t, err)
	deep := amqp.Table{}
	for range 20 {
		deep = amqp.Table{"deeper": deep, "list": []any{int32(1), "two", nil, 3.0}}
	}
	must(t, p.raw.PublishWithContext(within(t), p.exchange, p.key, false, false, amqp.Publishing{
		Headers: amqp.Table{
			"CC": []any{DelayKey(p.delays[0])}, "BCC": []any{DelayKey(p.delays[1])}, "deep": deep, "large": string(make([]byte, 100<<10)),
			HeaderExchange: string(make([]byte, 1000)), HeaderAttempts: "many",
		},
		Expiration: "60000", UserId: user.Username, ContentType: "text/plain", Body: []byte("garbage"),
	}))
	d := p.take(t, DeadLetterQueue(p.queue))
	if string(d.Body) != "garbage" || d.Headers[message.DeadKind] != "invalid" || d.Headers[HeaderExchange] != p.exchange {
		t.Errorf("dead-lettered %q with %v", d.Body, d.Headers[message.DeadKind])
	}
	if d.Expiration != "" || d.UserId != "" || d.Headers["CC"] != nil {
		t.Error("properties of a stranger were kept")
	}
	for _, delay := range p.delays {
		if n := p.depth(t, RetryQueue(p.queue, delay)); n != 0 {
			t.Errorf("the copy went to the rung %v too", delay)
		}
	}
}

// Headers that the client library cannot read end the connection. That message must
// reach the dead-letter queue by its delivery limit, and no other with it.
func TestUnreadableFrameHurtsItsMessageAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	deep := amqp.Table{}
	for range 40 {
		deep = amqp.Table{"deeper": deep}
	}
	publisher := startPublisher(t, settings(t), Options{})
	must(t, publisher.Publish(within(t), p.messages(20)...))
	must(t, p.raw.PublishWithContext(within(t), p.exchange, p.key, false, false, amqp.Publishing{Headers: deep}))
	must(t, publisher.Publish(within(t), p.messages(80)...))
	var seen calls
	startConsumer(t, settings(t), p, true, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return nil
	})
	eventually(t, "the message to reach its limit", func() bool { return p.depth(t, DeadLetterQueue(p.queue)) > 0 })
	eventually(t, "the others to be handled", func() bool {
		ids := map[string]bool{}
		for _, m := range seen.list() {
			ids[m.ID] = true
		}
		return len(ids) == 100
	})
	if n := p.depth(t, DeadLetterQueue(p.queue)); n != 1 {
		t.Errorf("%d messages were dead-lettered", n)
	}
}

// Connections are cut while messages fail in every way. Each message must end, and
// nothing may ever be rejected.
func TestNothingIsLostWhileSessionsDie(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	cfg.HoldMax = time.Second
	var mu sync.Mutex
	tries, finished := map[string]int{}, map[string]bool{}
	const total = 300
	handler := func(_ context.Context, m message.Message) error {
		mu.Lock()
		defer mu.Unlock()
		tries[m.ID]++
		switch n := tries[m.ID]; {
		case n == 1 && len(tries)%3 == 0:
			return errBroken
		case n == 1 && len(tries)%5 == 0:
			return fault.New(fault.Unavailable, "no database")
		}
		finished[m.ID] = true
		return nil
	}
	_, stopFirst := startConsumer(t, cfg, p, false, handler)
	startConsumer(t, cfg, p, false, handler)
	publisher := startPublisher(t, settings(t), Options{})
	must(t, publisher.Publish(within(t), p.messages(total)...))
	done := make(chan struct{})
	for cuts := range 6 {
		pauseOver(done)
		tapped.cut()
		if cuts == 3 {
			stopFirst()
		}
	}
	eventually(t, "every message to be finished", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(finished) == total
	})
	eventually(t, "the queue to be empty", func() bool { return p.depth(t, p.queue) == 0 })
	if n := tapped.count(basicReject) + tapped.count(basicNack); n != 0 {
		t.Errorf("%d rejections were sent", n)
	}
	if n := p.depth(t, DeadLetterQueue(p.queue)); n != 0 {
		t.Errorf("%d messages were dead-lettered", n)
	}
}
