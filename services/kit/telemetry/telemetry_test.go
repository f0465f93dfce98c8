package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func spanContext() trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled,
	})
}

func TestLogCarriesTraceIDs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := NewLog(&out, "order", slog.LevelInfo).With("order_id", "7")
	ctx := trace.ContextWithSpanContext(context.Background(), spanContext())
	log.InfoContext(ctx, "order placed", "attempt", 1)
	log.DebugContext(ctx, "not seen")
	log.InfoContext(context.Background(), "no span")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "order placed", "service": "order", "order_id": "7", "attempt": 1.0,
		"trace_id": spanContext().TraceID().String(), "span_id": spanContext().SpanID().String(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(lines[1], "trace_id") {
		t.Errorf("a line without a span has ids: %s", lines[1])
	}
}

func TestStartWithoutEndpoint(t *testing.T) {
	tel, err := Start(t.Context(), "order", Config{LogLevel: "error"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := otel.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	if !span.SpanContext().IsValid() || span.IsRecording() {
		t.Error("without an endpoint a span has ids and is not recorded")
	}
	header := http.Header{}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(header))
	if header.Get("Traceparent") == "" {
		t.Error("the trace is not propagated")
	}
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "go_build_info"} {
		if !found[name] {
			t.Errorf("metric %s is missing", name)
		}
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("a second Shutdown: %v", err)
	}
}

func TestSpansReachTheCollector(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		select {
		case got <- r.URL.Path + " " + body.String():
		default:
		}
	}))
	defer collector.Close()
	tel, err := Start(t.Context(), "order", Config{LogLevel: "error", Endpoint: collector.URL + "/", SampleRatio: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "the work")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	request := <-got
	for _, part := range []string{"/v1/traces ", "the work", "service.name", "order"} {
		if !strings.Contains(request, part) {
			t.Errorf("the request lacks %q", part)
		}
	}
}

func TestShutdownDoesNotWaitForADeadCollector(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // accepts nothing: a collector that hangs
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	cfg := Config{LogLevel: "error", Endpoint: "http://" + silent.Addr().String(), SampleRatio: 1}
	tel, err := Start(t.Context(), "order", cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "lost")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("spans were lost without a word")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestComplaintsAreRare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &complaints{log: NewLog(&out, "order", slog.LevelInfo), every: time.Minute}
		for range 100 {
			c.Handle(errors.New("collector away"))
			time.Sleep(time.Second) //nolint:forbidigo // the clock of the bubble
		}
		if lines := strings.Count(out.String(), "\n"); lines != 2 {
			t.Errorf("%d lines in 100 s, want 2", lines)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	good := Config{LogLevel: "info", SampleRatio: 1}
	tests := map[string]struct {
		change func(*Config)
		bad    string
	}{
		"as it is":         {func(*Config) {}, ""},
		"upper case":       {func(c *Config) { c.LogLevel = "WARN" }, ""},
		"with an endpoint": {func(c *Config) { c.Endpoint = "http://otel:4318" }, ""},
		"unknown level":    {func(c *Config) { c.LogLevel = "loud" }, "LOG_LEVEL"},
		"no scheme":        {func(c *Config) { c.Endpoint = "otel:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"too many traces":  {func(c *Config) { c.SampleRatio = 2 }, "TRACE_SAMPLE_RATIO"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.change(&cfg)
			var p *config.Problem
			errors.As(cfg.Validate(), &p)
			if tc.bad == "" && p != nil || tc.bad != "" && (p == nil || p.Variable != tc.bad) {
				t.Errorf("problem = %v, want one of %q", p, tc.bad)
			}
		})
	}
}
