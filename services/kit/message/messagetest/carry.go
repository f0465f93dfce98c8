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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/message"
)

// received compares a message with the one that was sent.
func received(t *testing.T, h Harness, sent, got message.Message) {
	t.Helper()
	ignored := []string{"Delivery"}
	if !h.Ordered {
		ignored = append(ignored, "Key")
	}
	if diff := cmp.Diff(sent, got, cmpopts.IgnoreFields(message.Message{}, ignored...)); diff != "" {
		t.Errorf("message changed on its way (-sent +received):\n%s", diff)
	}
}

func deliver(t *testing.T, h Harness, m message.Message, p Place) message.Message {
	t.Helper()
	r := newRecorder(nil)
	p.Consume(t, Consumer{Handler: r.handle})
	publish(t, p, m)
	r.waitFor(t, m)
	return r.callsOf(m.ID)[0]
}

func publish(t *testing.T, p Place, messages ...message.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Wait)
	defer cancel()
	if err := p.Publisher.Publish(ctx, messages...); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

func carriesAttributes(t *testing.T, h Harness) {
	p := h.Place(t)
	m := newMessage(p.To, "key-1")
	m.Headers = map[string]string{
		message.TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		message.TraceState:  "vendor=value",
	}
	got := deliver(t, h, m, p)
	received(t, h, m, got)
	if got.Delivery.Attempt != 1 {
		t.Errorf("first attempt is number %d", got.Delivery.Attempt)
	}
	if got.Delivery.Place == "" {
		t.Error("delivery names no place")
	}
}

func carriesUnicode(t *testing.T, h Harness) {
	p := h.Place(t)
	m := newMessage(p.To, "key-1")
	data, err := json.Marshal(map[string]string{"name": "Zażółć 日本語 🚚 \u0000 \u2028 עברית"})
	if err != nil {
		t.Fatal(err)
	}
	m.Data = data
	received(t, h, m, deliver(t, h, m, p))
}

func carriesLarge(t *testing.T, h Harness) {
	p := h.Place(t)
	m := newMessage(p.To, "key-1")
	m.Data = []byte(`"` + strings.Repeat("x", message.MaxData-2) + `"`)
	if got := deliver(t, h, m, p); !bytes.Equal(m.Data, got.Data) {
		t.Errorf("sent %d bytes, received %d", len(m.Data), len(got.Data))
	}
}

func carriesTrace(t *testing.T, h Harness) {
	p := h.Place(t)
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
	publish(t, p, m)
	select {
	case id := <-seen:
		if id != parent.TraceID() {
			t.Errorf("handled in trace %s, sent in %s", id, parent.TraceID())
		}
	case <-time.After(Wait):
		t.Fatal("not handled in time")
	}
}

func keepsOrder(t *testing.T, h Harness) {
	if !h.Ordered {
		t.Skip("the broker keeps no order per key")
	}
	p := h.Place(t)
	r := newRecorder(func(context.Context, message.Message, int) error {
		time.Sleep(rand.N(2 * time.Millisecond))
		return nil
	})
	p.Consume(t, Consumer{Handler: r.handle})
	var sent []message.Message
	for range 40 {
		for key := range 10 {
			sent = append(sent, newMessage(p.To, fmt.Sprintf("key-%d", key)))
		}
	}
	publish(t, p, sent...)
	r.waitFor(t, sent...)
	last := map[string]string{}
	for _, m := range r.handled() {
		if last[m.Key] >= m.ID {
			t.Fatalf("key %s: %s handled after %s", m.Key, m.ID, last[m.Key])
		}
		last[m.Key] = m.ID
	}
}

func handlesSideBySide(t *testing.T, h Harness) {
	p := h.Place(t)
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
	publish(t, p, sent...)
	r.waitFor(t, sent...)
}

func sharesWork(t *testing.T, h Harness) {
	p := h.Place(t)
	r := newRecorder(nil)
	p.Consume(t, Consumer{Handler: r.handle})
	stop := p.Consume(t, Consumer{Handler: r.handle})
	var sent []message.Message
	for i := range 10 {
		batch := newMessages(p.To, fmt.Sprintf("key-%d", i), 20)
		sent = append(sent, batch...)
		publish(t, p, batch...)
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
