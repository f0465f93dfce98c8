package rabbit

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// newFanout makes a fanout exchange that is removed when the test ends.
func newFanout(tb testing.TB) (name string, raw *amqp.Channel) {
	tb.Helper()
	name, raw = servertest.Name(tb), rawChannel(tb)
	must(tb, raw.ExchangeDeclare(name, "fanout", true, false, false, false, nil))
	tb.Cleanup(func() { _ = raw.ExchangeDelete(name, false, false) })
	return name, raw
}

func hint(exchange, id string) message.Message {
	return message.Message{
		ID: id, Type: "Hint", Source: "test", Subject: "order-1", Time: time.Now(),
		To: message.Address{Broker: message.RabbitMQ, Name: exchange}, Data: []byte(`{}`),
	}
}

func TestSubscriberHearsAndIsHeardAfterALostSession(t *testing.T) {
	t.Parallel()
	exchange, _ := newFanout(t)
	tapped, cfg := newTap(t)
	heard := make(chan string, 100)
	resumed := make(chan struct{}, 10)
	s := NewSubscriber(cfg, SubscriberConfig{
		Exchange: exchange,
		Resumed:  func(context.Context) { resumed <- struct{}{} },
	}, func(_ context.Context, m message.Message) { heard <- m.ID }, Options{})
	run(t, s.Run)
	publisher := startPublisher(t, settings(t), Options{})

	<-resumed
	must(t, publisher.Publish(within(t), hint(exchange, "first")))
	if id := <-heard; id != "first" {
		t.Errorf("heard %s", id)
	}
	tapped.cut()
	<-resumed
	must(t, publisher.Publish(within(t), hint(exchange, "second")))
	if id := <-heard; id != "second" {
		t.Errorf("heard %s", id)
	}
	must(t, s.Err())
}

func TestSubscribersHearEachForItself(t *testing.T) {
	t.Parallel()
	exchange, _ := newFanout(t)
	heard, resumed := make(chan string, 10), make(chan struct{}, 2)
	for n := range 2 {
		s := NewSubscriber(settings(t), SubscriberConfig{
			Exchange: exchange,
			Resumed:  func(context.Context) { resumed <- struct{}{} },
		}, func(_ context.Context, m message.Message) { heard <- fmt.Sprint(n, m.ID) }, Options{})
		run(t, s.Run)
	}
	<-resumed
	<-resumed
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), hint(exchange, "x")))
	if one, other := <-heard, <-heard; one == other {
		t.Errorf("one heard it twice: %s", one)
	}
}

func TestSubscriberDropsRatherThanBlocks(t *testing.T) {
	t.Parallel()
	exchange, _ := newFanout(t)
	entered, release := make(chan struct{}, 1000), make(chan struct{})
	var heard atomic.Int32
	s := NewSubscriber(settings(t), SubscriberConfig{Exchange: exchange, Buffer: 3},
		func(context.Context, message.Message) {
			heard.Add(1)
			entered <- struct{}{}
			<-release
		}, Options{})
	run(t, s.Run)
	eventually(t, "the subscriber to listen", func() bool { return s.Err() == nil })
	publisher := startPublisher(t, settings(t), Options{})
	must(t, publisher.Publish(within(t), hint(exchange, "first")))
	<-entered
	for n := range 20 {
		must(t, publisher.Publish(within(t), hint(exchange, fmt.Sprint(n))))
	}
	dropped := s.hints.WithLabelValues("dropped")
	eventually(t, "what does not fit to be dropped", func() bool { return testutil.ToFloat64(dropped) == 17 })
	close(release)
	eventually(t, "what did fit to be heard", func() bool { return heard.Load() == 4 })
}

func TestSubscriberIgnoresGarbage(t *testing.T) {
	t.Parallel()
	exchange, raw := newFanout(t)
	heard := make(chan string, 10)
	s := NewSubscriber(settings(t), SubscriberConfig{Exchange: exchange},
		func(_ context.Context, m message.Message) { heard <- m.ID }, Options{})
	run(t, s.Run)
	eventually(t, "the subscriber to listen", func() bool { return s.Err() == nil })
	must(t, raw.PublishWithContext(within(t), exchange, "", false, false, amqp.Publishing{Body: []byte("garbage")}))
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), hint(exchange, "good")))
	if id := <-heard; id != "good" {
		t.Errorf("heard %s", id)
	}
	if got := testutil.ToFloat64(s.hints.WithLabelValues("unreadable")); got != 1 {
		t.Errorf("%v unreadable messages, want 1", got)
	}
}

func TestSubscriberWaitsForItsExchange(t *testing.T) {
	t.Parallel()
	exchange, raw := newFanout(t)
	must(t, raw.ExchangeDelete(exchange, false, false))
	s := NewSubscriber(settings(t), SubscriberConfig{Exchange: exchange}, func(context.Context, message.Message) {}, Options{})
	run(t, s.Run)
	eventually(t, "the trouble to show", func() bool {
		err := s.Err()
		return fault.Is(err, fault.Unavailable) && strings.Contains(err.Error(), exchange)
	})
	must(t, raw.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil))
	eventually(t, "the subscriber to listen", func() bool { return s.Err() == nil })
}

// The private queue must cost the broker nothing: bounded, and gone with its listener.
func TestPrivateQueueIsBoundedAndEndsWithItsSession(t *testing.T) {
	t.Parallel()
	exchange, _ := newFanout(t)
	s := NewSubscriber(settings(t), SubscriberConfig{Exchange: exchange, Buffer: 7},
		func(context.Context, message.Message) {}, Options{})
	stop := run(t, s.Run)
	eventually(t, "the subscriber to listen", func() bool { return s.Err() == nil })
	var bindings []struct{ Destination string }
	path := "/api/exchanges/%2F/" + exchange + "/bindings/source"
	eventually(t, "the binding to be listed", func() bool {
		management(t, "GET", path, &bindings)
		return len(bindings) == 1
	})
	var queue struct {
		Exclusive  bool
		AutoDelete bool `json:"auto_delete"`
		Durable    bool
		Arguments  map[string]any
	}
	management(t, "GET", "/api/queues/%2F/"+bindings[0].Destination, &queue)
	if !queue.Exclusive || !queue.AutoDelete || queue.Durable ||
		queue.Arguments["x-max-length"] != 7.0 || queue.Arguments["x-overflow"] != "drop-head" {
		t.Errorf("private queue: %+v", queue)
	}
	stop()
	eventually(t, "the queue to be gone", func() bool {
		management(t, "GET", path, &bindings)
		return len(bindings) == 0
	})
}
