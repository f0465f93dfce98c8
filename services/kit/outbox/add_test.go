package outbox

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func TestAddRefusesDefects(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	tests := map[string]func(*message.Message){
		"no id":          func(m *message.Message) { m.ID = "" },
		"no type":        func(m *message.Message) { m.Type = "" },
		"no source":      func(m *message.Message) { m.Source = "" },
		"no time":        func(m *message.Message) { m.Time = time.Time{} },
		"no broker":      func(m *message.Message) { m.To.Broker = "" },
		"no destination": func(m *message.Message) { m.To.Name = "" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMessage(topic, "a", 1)
			spoil(&m)
			err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				return Add(ctx, tx, newMessage(topic, "b", 1), m)
			})
			if !fault.Is(err, fault.Internal) {
				t.Errorf("Add = %v, want Internal", err)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error { return Add(ctx, tx) }); err != nil {
			t.Error(err)
		}
	})
}

// TestAddCarriesTheTrace sends the trace of the transaction's context along.
func TestAddCarriesTheTrace(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	traced, span := sdktrace.NewTracerProvider().Tracer("test").Start(ctx, "place order")
	defer span.End()
	plain := newMessage(topic, "plain", 1)
	plain.Headers = map[string]string{message.TraceState: "a=b"}
	add(ctx, t, db, plain)
	add(traced, t, db, newMessage(topic, "traced", 1))
	var sent recorder
	runRelay(ctx, t, newRelay(t, db, Defaults(), only(&sent)))
	eventually(ctx, t, "both are sent", func() bool { return sent.len() == 2 })
	got := map[string]map[string]string{}
	sent.mu.Lock()
	defer sent.mu.Unlock()
	for _, m := range sent.messages {
		got[m.Key] = m.Headers
	}
	c := span.SpanContext()
	want := map[string]map[string]string{
		"plain":  plain.Headers,
		"traced": {message.TraceParent: fmt.Sprintf("00-%s-%s-01", c.TraceID(), c.SpanID())},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// TestShards spreads keys, and keeps to what rows in the table were written with.
func TestShards(t *testing.T) {
	t.Parallel()
	var n [Shards]int
	for i := range 16_000 {
		n[shardOf(fmt.Sprintf("0193d2f0-0000-7000-8000-%012d", i))]++
	}
	for shard, keys := range n {
		if keys < 700 || keys > 1300 {
			t.Errorf("%d of 16000 keys are in shard %d", keys, shard)
		}
	}
	m := newMessage(topic, "0193d2f0-0000-7000-8000-000000000001", 1)
	got := []any{shardOf(m.Key), unitOf(m)}
	if diff := cmp.Diff([]any{int16(14), int64(-7881443511040195761)}, got); diff != "" {
		t.Errorf("the hashes changed: rows of the version before are relayed out of order (-want +got):\n%s", diff)
	}
}
