package message_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func returning(err error) message.Handler {
	return func(context.Context, message.Message) error { return err }
}

func TestChain(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) message.Middleware {
		return func(next message.Handler) message.Handler {
			return func(ctx context.Context, m message.Message) error {
				order = append(order, name)
				return next(ctx, m)
			}
		}
	}
	if err := message.Chain(returning(nil), note("outer"), note("inner"))(t.Context(), sample()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"outer", "inner"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	h := message.Chain(func(context.Context, message.Message) error { panic("boom") }, message.Recover())
	err := h(t.Context(), sample())
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Internal {
		t.Fatalf("err = %v, want Internal", err)
	}
	if !bytes.Contains([]byte(f.Cause.Error()), []byte("middleware_test.go")) {
		t.Error("the cause holds no stack")
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := message.Chain(func(ctx context.Context, _ message.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}, message.Timeout(time.Second))
		start := time.Now()
		if err := h(t.Context(), sample()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("err = %v, want Unavailable: the message must be held", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1s", took)
		}
	})
}

func TestLog(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		level string
		text  string
	}{
		"done":        {nil, "INFO", "message handled"},
		"conflict":    {fault.New(fault.Conflict, "so"), "INFO", "message failed"},
		"unavailable": {fault.New(fault.Unavailable, "away"), "WARN", "message failed"},
		"invalid":     {fault.New(fault.Invalid, "bad"), "ERROR", "message failed"},
		"internal":    {errors.New("boom"), "ERROR", "message failed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			m := sample()
			m.To.Broker = message.Kafka
			m.Delivery = message.Delivery{Place: "Orders", Partition: 3, Offset: 7, Attempt: 2}
			h := message.Chain(returning(tc.err), message.Log(slog.New(slog.NewJSONHandler(&out, nil))))
			if err := h(t.Context(), m); !errors.Is(err, tc.err) {
				t.Errorf("err = %v, want %v", err, tc.err)
			}
			checkLine(t, out.Bytes(), tc.level, tc.text)
		})
	}
}

func checkLine(t *testing.T, out []byte, level, text string) {
	t.Helper()
	if n := bytes.Count(out, []byte("\n")); n != 1 {
		t.Errorf("%d lines, want one", n)
	}
	var line map[string]any
	if err := json.Unmarshal(out, &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"level": level, "msg": text, "message_id": sample().ID, "message_type": sample().Type,
		"place": "Orders", "partition": 3.0, "offset": 7.0, "attempt": 2.0,
	}
	for name, value := range want {
		if line[name] != value {
			t.Errorf("%s = %v, want %v", name, line[name], value)
		}
	}
	if bytes.Contains(out, []byte("Zażółć")) {
		t.Error("the line holds the data")
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	known := message.Metrics(reg, "OrderPlacedEvent")
	again := message.Metrics(reg, "OrderPlacedEvent") // a second consumer of the same service
	m := sample()
	m.Delivery.Place = "Orders"
	strange := m
	strange.Type = "Whatever"
	results := []error{
		message.Chain(returning(nil), known)(t.Context(), m),
		message.Chain(returning(nil), again)(t.Context(), m),
		message.Chain(returning(nil), known)(t.Context(), strange),
	}
	if err := errors.Join(results...); err != nil {
		t.Fatal(err)
	}
	if err := message.Chain(returning(fault.New(fault.Invalid, "bad")), known)(t.Context(), m); err == nil {
		t.Error("the error is lost")
	}
	if n := testutil.CollectAndCount(reg, "messaging_process_duration_seconds"); n != 3 {
		t.Errorf("%d series, want 3: ok, invalid and unknown", n)
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	parent := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	plain := sample()
	if got := message.Inject(t.Context(), plain); got.Headers != nil {
		t.Errorf("headers without a trace: %v", got.Headers)
	}
	plain.Headers = map[string]string{"other": "kept"}
	sent := message.Inject(trace.ContextWithSpanContext(t.Context(), parent), plain)
	if sent.Headers["other"] != "kept" || len(plain.Headers) != 1 {
		t.Errorf("headers %v, before %v", sent.Headers, plain.Headers)
	}
	h := message.Chain(func(ctx context.Context, _ message.Message) error {
		if got := trace.SpanContextFromContext(ctx).TraceID(); got != parent.TraceID() {
			t.Errorf("trace %s, want %s", got, parent.TraceID())
		}
		return nil
	}, message.Trace())
	if err := h(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
}

func TestStandard(t *testing.T) {
	t.Parallel()
	h := message.Standard(func(context.Context, message.Message) error { panic("boom") }, message.Options{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Timeout: time.Second,
	})
	if err := h(t.Context(), sample()); !fault.Is(err, fault.Internal) {
		t.Errorf("err = %v, want Internal", err)
	}
}
