package rabbit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"parley.sh/hack/local/server"
	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// startServer starts a RabbitMQ for this test alone, for what must not be done to a
// shared one.
func startServer(t *testing.T, settings ...string) (*server.Rabbit, Config) {
	t.Helper()
	servertest.AMQP(t) // skips where no servers are wanted
	r, err := server.NewRabbit(server.RabbitOptions{
		Options: server.Options{Dir: t.TempDir()}, Config: settings,
	})
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	t.Cleanup(func() { _ = r.Kill() })
	must(t, r.Start(ctx))
	cfg := Defaults()
	cfg.URL = config.Secret(r.URL())
	cfg.ReconnectMin, cfg.ReconnectMax = 10*time.Millisecond, 200*time.Millisecond
	return r, cfg
}

// On a server of its own: a limit below the platform's, a memory alarm, and SIGKILL.
func TestServerOfItsOwn(t *testing.T) {
	r, cfg := startServer(t, "max_message_size = 100000")
	t.Setenv(servertest.AMQPVariable, r.URL())
	p := newPlace(t)
	publisher := startPublisher(t, cfg, Options{})
	var seen calls
	startConsumer(t, cfg, p, false, func(_ context.Context, m message.Message) error {
		seen.add(m)
		return nil
	})

	large := p.message("key-1")
	large.Data = make([]byte, 200_000)
	sent := []message.Message{p.message("key-1"), large, p.message("key-1")}
	got := expectResults(t, publisher, sent, nil, errRefused, nil)
	if !fault.Is(got[1], fault.Invalid) {
		t.Errorf("larger than the broker takes: %v, want Invalid", got[1])
	}
	awaitAll(t, &seen, sent[0], sent[2])
	awaitAll(t, &seen, raiseAlarm(t, r, publisher, p))

	must(t, r.Kill())
	flight := make(chan error, 1)
	late := p.messages(100)
	go func() { flight <- publisher.Publish(within(t), late...) }()
	must(t, r.Start(within(t)))
	must(t, <-flight)
	awaitAll(t, &seen, late...)
}

// awaitAll waits until each of the messages was handled.
func awaitAll(t *testing.T, seen *calls, messages ...message.Message) {
	t.Helper()
	eventually(t, "every message to be handled", func() bool {
		ids := map[string]bool{}
		for _, m := range seen.list() {
			ids[m.ID] = true
		}
		return !slices.ContainsFunc(messages, func(m message.Message) bool { return !ids[m.ID] })
	})
}

// raiseAlarm has the server run out of memory by its own account, and publishes one
// message when that is over.
func raiseAlarm(t *testing.T, r *server.Rabbit, publisher *Publisher, p *place) message.Message {
	t.Helper()
	control := func(args ...string) {
		t.Helper()
		if out, err := r.Control(within(t), args...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	control("set_vm_memory_high_watermark", "absolute", "1MB")
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	m := p.message("key-1")
	if err := publisher.Publish(short, m); !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish during an alarm: %v", err)
	}
	eventually(t, "the alarm to show", func() bool { return publisher.Err() != nil })
	waiting := make(chan error, 1)
	go func() { waiting <- publisher.Publish(within(t), m) }()
	control("set_vm_memory_high_watermark", "0.6")
	must(t, <-waiting)
	must(t, publisher.Err())
	return m
}
