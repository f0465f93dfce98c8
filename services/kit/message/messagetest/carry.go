package messagetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/message"
)

func carriesAttributes(s *trial) {
	t, p := s.t, s.place
	m := newMessage(p.To, "key-1")
	m.Headers = map[string]string{
		message.TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		message.TraceState:  "vendor=value",
	}
	got := s.deliver(m)
	s.received(m, got)
	if got.Delivery.Attempt != 1 {
		t.Errorf("first attempt is number %d", got.Delivery.Attempt)
	}
	if got.Delivery.Place == "" {
		t.Error("delivery names no place")
	}
}

func carriesUnicode(s *trial) {
	t, p := s.t, s.place
	m := newMessage(p.To, "key-1")
	data, err := json.Marshal(map[string]string{"name": "Zażółć 日本語 🚚 \u0000 \u2028 עברית"})
	if err != nil {
		t.Fatal(err)
	}
	m.Data = data
	s.received(m, s.deliver(m))
}

func carriesLarge(s *trial) {
	t, p := s.t, s.place
	m := newMessage(p.To, "key-1")
	m.Data = []byte(`"` + strings.Repeat("x", message.MaxData-2) + `"`)
	if got := s.deliver(m); !bytes.Equal(m.Data, got.Data) {
		t.Errorf("sent %d bytes, received %d", len(m.Data), len(got.Data))
	}
}

func carriesTrace(s *trial) {
	t, p := s.t, s.place
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: trace.FlagsSampled,
	})
	m := message.Inject(trace.ContextWithSpanContext(t.Context(), parent), newMessage(p.To, "key-1"))
	seen := make(chan trace.TraceID, 1)
	handler := func(ctx context.Context, _ message.Message) error {
		seen <- trace.SpanContextFromContext(ctx).TraceID()
		return nil
	}
	p.Consume(t, Consumer{Handler: message.Chain(handler, message.Trace())})
	s.publish(m)
	select {
	case id := <-seen:
		if id != parent.TraceID() {
			t.Errorf("handled in trace %s, sent in %s", id, parent.TraceID())
		}
	case <-time.After(Wait):
		t.Fatal("not handled in time")
	}
}

func keepsOrder(s *trial) {
	t, p := s.t, s.place
	if !s.ordered {
		t.Skip("the broker keeps no order per key")
	}
	r := newRecorder(func(context.Context, message.Message, int) error {
		<-time.After(rand.N(2 * time.Millisecond))
		return nil
	})
	p.Consume(t, Consumer{Handler: r.handle})
	var sent []message.Message
	for range 40 {
		for key := range 10 {
			sent = append(sent, newMessage(p.To, fmt.Sprintf("key-%d", key)))
		}
	}
	s.publish(sent...)
	r.waitFor(t, sent...)
	last := map[string]string{}
	for _, m := range r.handled() {
		if last[m.Key] >= m.ID {
			t.Fatalf("key %s: %s handled after %s", m.Key, m.ID, last[m.Key])
		}
		last[m.Key] = m.ID
	}
}

func handlesSideBySide(s *trial) {
	t, p := s.t, s.place
	var inside atomic.Int32
	both := make(chan struct{})
	r := newRecorder(func(ctx context.Context, _ message.Message, _ int) error {
		if inside.Add(1) == 2 {
			close(both)
		}
		select {
		case <-both:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	p.Consume(t, Consumer{Handler: r.handle})
	sent := []message.Message{newMessage(p.To, "a"), newMessage(p.To, "b")}
	s.publish(sent...)
	r.waitFor(t, sent...)
}

func sharesWork(s *trial) {
	t, p := s.t, s.place
	r := newRecorder(nil)
	p.Consume(t, Consumer{Handler: r.handle})
	stop := p.Consume(t, Consumer{Handler: r.handle})
	var sent []message.Message
	for i := range 10 {
		batch := newMessages(p.To, fmt.Sprintf("key-%d", i), 20)
		sent = append(sent, batch...)
		s.publish(batch...)
		if i == 5 {
			stop()
		}
	}
	r.waitFor(t, sent...)
}

// once lets a test see the first of several equal events.
func once(f func()) func() {
	var o sync.Once
	return func() { o.Do(f) }
}
