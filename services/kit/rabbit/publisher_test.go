package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func TestPublishKeepsTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	publisher := startPublisher(t, settings(t), Options{})
	sent := p.messages(2000)
	must(t, publisher.Publish(within(t), sent...))
	deliveries, err := p.raw.Consume(p.queue, "", true, false, false, false, nil)
	must(t, err)
	last := map[string]string{}
	for range sent {
		d := <-deliveries
		key, _ := d.Headers["cloudEvents_subject"].(string)
		if last[key] >= d.MessageId {
			t.Fatalf("key %s: %s came after %s", key, d.MessageId, last[key])
		}
		last[key] = d.MessageId
	}
}

func TestPublishedProperties(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m := p.message("key-1")
	must(t, startPublisher(t, settings(t), Options{}).Publish(within(t), m))
	d := p.take(t, p.queue)
	if d.DeliveryMode != amqp.Persistent || d.ContentType != message.ContentType || d.MessageId != m.ID ||
		d.Type != m.Type || d.AppId != m.Source || !d.Timestamp.Equal(m.Time) {
		t.Errorf("properties: %+v", d)
	}
}

// Confirms that never arrive and a connection that is cut: the publisher must send
// again, and the message must keep its identity.
func TestResendAfterALostSessionKeepsTheID(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	publisher := startPublisher(t, cfg, Options{})
	must(t, publisher.Publish(within(t), p.message("key-0")))
	p.take(t, p.queue)
	var first sync.Once
	tapped.onServer(func(l *line, f frame) bool {
		if f.method() != basicAck || l != tapped.opened()[0] {
			return true
		}
		first.Do(func() { go l.cut() })
		return false
	})
	m := p.message("key-1")
	must(t, publisher.Publish(within(t), m))
	for range 2 {
		if d := p.take(t, p.queue); d.MessageId != m.ID || d.Headers["cloudEvents_id"] != m.ID {
			t.Errorf("message %s arrived as %s", m.ID, d.MessageId)
		}
	}
}

// The broker ends the connections of a busy publisher again and again. Everything
// that was reported as published must be there.
func TestNothingConfirmedIsLostWhenSessionsDie(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	publisher := startPublisher(t, cfg, Options{})
	var callers sync.WaitGroup
	const each, calls = 50, 40
	for range 3 {
		callers.Go(func() {
			for range calls {
				if err := publisher.Publish(within(t), p.messages(each)...); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { callers.Wait(); close(done) }()
	for cuts := 0; cuts < 8 && !pauseOver(done); cuts++ {
		tapped.cut()
	}
	<-done
	seen := map[string]bool{}
	deliveries, err := p.raw.Consume(p.queue, "", true, false, false, false, nil)
	must(t, err)
	for len(seen) < 3*each*calls {
		select {
		case d := <-deliveries:
			seen[d.MessageId] = true
		case <-time.After(patience):
			t.Fatalf("%d of %d messages arrived", len(seen), 3*each*calls)
		}
	}
}

// pauseOver waits a little and reports whether done is closed.
func pauseOver(done <-chan struct{}) bool {
	return !pause(context.Background(), 60*time.Millisecond, done)
}

func TestPublishWaitsWhileTheBrokerTakesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	publisher := startPublisher(t, cfg, Options{})
	handled := make(chan string, 10)
	consumer := NewConsumer(cfg, ConsumerConfig{Queue: p.queue, Delays: p.delays},
		func(_ context.Context, m message.Message) error { handled <- m.ID; return nil }, Options{})
	run(t, consumer.Run)
	must(t, publisher.Publish(within(t), p.message("key-1")))
	<-handled

	line := publishingLine(t, tapped)
	line.sendClient(methodFrame(0, connectionBlocked, shortText("low on memory")...))
	eventually(t, "the alarm to show", func() bool { return fault.Is(publisher.Err(), fault.Unavailable) })
	if got := testutil.ToFloat64(publisher.link.blocked); got != 1 {
		t.Errorf("rabbit_connection_blocked is %v", got)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := publisher.Publish(short, p.message("key-1")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("publish during an alarm: %v, want Unavailable", err)
	}
	other := rawChannel(t)
	must(t, other.PublishWithContext(within(t), p.exchange, p.key, false, false, rawMessage(p.message("key-1"))))
	<-handled // consumers go on

	waiting := make(chan error, 1)
	go func() { waiting <- publisher.Publish(within(t), p.message("key-2")) }()
	line.sendClient(methodFrame(0, connectionUnblocked))
	must(t, <-waiting)
	<-handled
	must(t, publisher.Err())
}

// publishingLine returns the connection over which messages were published.
func publishingLine(t *testing.T, p *tap) *line {
	t.Helper()
	for _, l := range p.opened() {
		if l.count(basicPublish) > 0 {
			return l
		}
	}
	t.Fatal("nothing was published")
	return nil
}

// rawMessage is m as the library alone would send it.
func rawMessage(m message.Message) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range m.Attributes(message.AMQPPrefix) {
		headers[name] = value
	}
	return amqp.Publishing{Headers: headers, Body: m.Data, MessageId: m.ID}
}

// A queue that never confirms must not fill the window for the others for ever: who
// stops waiting frees the place, and the channel is replaced.
func TestMessagesThatAreNeverConfirmedDoNotClog(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	cfg.Channels, cfg.Window = 1, 4
	publisher := startPublisher(t, cfg, Options{})
	tapped.onServer(func(_ *line, f frame) bool { return f.method() != basicAck })
	for range 3 {
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := message.Results(publisher.Publish(short, p.messages(6)...), 6)
		cancel()
		for i, err := range got {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("message %d: %v, want Unavailable", i, err)
			}
		}
	}
	tapped.onServer(nil)
	must(t, publisher.Publish(within(t), p.messages(20)...))
}

func TestPublisherStartsWithoutABroker(t *testing.T) {
	t.Parallel()
	proxy, cfg := newToxic(t)
	proxy.Stop()
	p := newPlace(t)
	publisher := startPublisher(t, cfg, Options{})
	eventually(t, "the trouble to show", func() bool { return fault.Is(publisher.Err(), fault.Unavailable) })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := publisher.Publish(short, p.message("key-1")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("publish without a broker: %v, want Unavailable", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- publisher.Publish(within(t), p.message("key-1")) }()
	must(t, proxy.Start())
	must(t, <-waiting)
	must(t, publisher.Err())
}

func TestPublisherFinishesWhatIsInFlightOnStop(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	publisher := NewPublisher(cfg, Options{})
	stop := run(t, publisher.Run)
	must(t, publisher.Publish(within(t), p.message("key-1")))
	entered, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	tapped.onServer(func(_ *line, f frame) bool {
		if f.method() == basicAck {
			first.Do(func() { close(entered) })
			<-release
		}
		return true
	})
	flight := make(chan error, 1)
	go func() { flight <- publisher.Publish(within(t), p.message("key-1")) }()
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	eventually(t, "the publisher to begin to stop", func() bool {
		publisher.traffic.mu.Lock()
		defer publisher.traffic.mu.Unlock()
		return publisher.traffic.stopped
	})
	if err := publisher.Publish(within(t), p.message("key-1")); !errors.Is(err, errStopped) {
		t.Errorf("publish after stop: %v", err)
	}
	close(release)
	must(t, <-flight)
	<-stopped
	if !errors.Is(publisher.Err(), errStopped) {
		t.Errorf("state after stop: %v", publisher.Err())
	}
}

func TestWindowBoundsWhatIsUnconfirmed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	cfg.Channels, cfg.Window = 1, 8
	publisher := startPublisher(t, cfg, Options{})
	must(t, publisher.Publish(within(t), p.message("key-1")))
	release := make(chan struct{})
	tapped.onServer(func(_ *line, f frame) bool {
		if f.method() == basicAck {
			<-release
		}
		return true
	})
	flight := make(chan error, 1)
	go func() { flight <- publisher.Publish(within(t), p.messages(30)...) }()
	eventually(t, "the window to fill", func() bool { return tapped.count(basicPublish) == 9 })
	pause(t.Context(), 50*time.Millisecond, nil)
	if n := tapped.count(basicPublish); n != 9 {
		t.Errorf("%d messages were sent into a window of 8 after one", n)
	}
	close(release)
	must(t, <-flight)
}

func TestPublishOverASlowNetwork(t *testing.T) {
	t.Parallel()
	proxy, cfg := newToxic(t)
	addToxic(t, proxy, `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":50}}`)
	p := newPlace(t)
	publisher := startPublisher(t, cfg, Options{})
	must(t, publisher.Publish(within(t), p.message("key-1")))
	start := time.Now()
	must(t, publisher.Publish(within(t), p.messages(1000)...))
	if took := time.Since(start); took > 1000*50*time.Millisecond/10 {
		t.Errorf("1000 messages took %v at 50 ms a round trip: they were not sent in a window", took)
	}
}

// A peer that is gone without a word: the heartbeat must notice, and what was not
// confirmed must be sent over a new connection.
func TestPublishOverAHalfOpenConnection(t *testing.T) {
	t.Parallel()
	proxy, cfg := newToxic(t)
	cfg.Heartbeat = 2 * time.Second
	p := newPlace(t)
	publisher := startPublisher(t, cfg, Options{})
	must(t, publisher.Publish(within(t), p.message("key-1")))
	addToxic(t, proxy, `{"name":"gone","type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)
	addToxic(t, proxy, `{"name":"deaf","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`)
	flight := make(chan error, 1)
	go func() { flight <- publisher.Publish(within(t), p.messages(200)...) }()
	eventually(t, "the heartbeat to notice", func() bool { return publisher.Err() != nil })
	must(t, proxy.Toxics.RemoveToxic(t.Context(), "gone"))
	must(t, proxy.Toxics.RemoveToxic(t.Context(), "deaf"))
	must(t, <-flight)
}

func TestLaneOfAKeyNeverChanges(t *testing.T) {
	t.Parallel()
	p := NewPublisher(Defaults(), Options{})
	used := map[int]bool{}
	for n := range 200 {
		key := fmt.Sprintf("key-%d", n)
		first, second := p.laneOf(key), p.laneOf(key)
		used[first] = true
		if first != second {
			t.Errorf("key %s has two lanes", key)
		}
	}
	if len(used) != len(p.lanes) {
		t.Errorf("200 keys use %d of %d lanes", len(used), len(p.lanes))
	}
}
