package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/fault"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		kept  bool
	}{
		"good":        {"0192d3b4-0000-7000", true},
		"none":        {"", false},
		"short":       {"abc", false},
		"long":        {strings.Repeat("a", 65), false},
		"bad letters": {"abcdefgh\"}", false},
		"a new line":  {"abcdefgh\n", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, small(), nil)
			var inside string
			b.Engine.GET("/id", func(c *gin.Context) { inside = RequestID(c); c.Status(http.StatusOK) })
			got := b.do(withHeader(get("/id"), RequestIDHeader, tc.given)).Header().Get(RequestIDHeader)
			if (got == tc.given) != tc.kept || !trustedID.MatchString(got) || inside != got {
				t.Errorf("id = %q, inside %q", got, inside)
			}
		})
	}
	if RequestID(context.Background()) != "" {
		t.Error("no request has no id")
	}
}

func TestOneLineAndOneSeriesPerRoute(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	for _, id := range []string{"1", "2", "3"} {
		b.do(get("/api/things/0192d3b4-0000-7000-8000-00000000000" + id))
		b.do(get("/nothing/" + id))
	}
	strange := get("/api/things")
	strange.Method = "BREW"
	b.do(strange)
	diff(t, 3.0, testutil.ToFloat64(b.metrics.requests.WithLabelValues("GET", "/api/things/:id", "200")))
	diff(t, 3.0, testutil.ToFloat64(b.metrics.requests.WithLabelValues("GET", "unmatched", "404")))
	diff(t, 1.0, testutil.ToFloat64(b.metrics.requests.WithLabelValues("other", "unmatched", "405")))
	lines := b.log.lines(t, "request handled")
	if len(lines) != 7 || lines[0]["route"] != "/api/things/:id" || lines[0]["status"] != 200.0 {
		t.Errorf("%d lines, the first %v", len(lines), lines[0])
	}
	if problems, err := testutil.GatherAndLint(b.registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		route  string
		status int
		want   slog.Level
	}{
		"good":          {"/api/things", 200, slog.LevelInfo},
		"client's":      {"/api/things", 404, slog.LevelInfo},
		"for a while":   {"/api/things", 503, slog.LevelWarn},
		"too late":      {"/api/things", 504, slog.LevelWarn},
		"ours":          {"/api/things", 500, slog.LevelError},
		"probe":         {"/readyz", 200, slog.LevelDebug},
		"failing probe": {"/readyz", 503, slog.LevelDebug},
		"broken probe":  {"/readyz", 500, slog.LevelError},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diff(t, tc.want, levelOf(tc.route, tc.status))
		})
	}
}

// TestTrace changes OpenTelemetry's globals, so it runs by itself.
func TestTrace(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	const caller = "0af7651916cd43dd8448eb211c80319c"
	b := newBench(t, small(), nil)
	var inside trace.SpanContext
	b.Engine.GET("/jobs/:id", Handle(func(c *gin.Context) error {
		inside = trace.SpanContextFromContext(c)
		return fault.New(fault.Internal, "")
	}))
	b.do(withHeader(get("/jobs/1"), "Traceparent", "00-"+caller+"-b7ad6b7169203331-01"))
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	span := ended[0]
	if span.Name() != "GET /jobs/:id" || span.SpanKind() != trace.SpanKindServer || span.Status().Code.String() != "Error" {
		t.Errorf("span %q of kind %s with status %v", span.Name(), span.SpanKind(), span.Status())
	}
	if inside.TraceID().String() != caller || span.SpanContext().SpanID() != inside.SpanID() {
		t.Errorf("trace id = %s, want the caller's", inside.TraceID())
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	var database, broker error
	b.health.Ready("database", func(context.Context) error { return database })
	b.health.Detail("kafka", func(context.Context) error { return broker })
	read := func(status int) string {
		t.Helper()
		w := b.do(get("/readyz"))
		if w.Code != status {
			t.Errorf("status = %d, want %d", w.Code, status)
		}
		return w.Body.String()
	}
	diff(t, `{"status":"ready","checks":{"database":{"status":"ok"}},"details":{"kafka":{"status":"ok"}}}`, read(200))
	broker = fault.Wrap(fault.Unavailable, errors.New("dial kafka-0.internal"), "no broker answers")
	diff(t, `{"status":"ready","checks":{"database":{"status":"ok"}},`+
		`"details":{"kafka":{"status":"unavailable","reason":"no broker answers"}}}`, read(200))
	database = errors.New("dial db-0.internal")
	diff(t, `{"status":"not_ready","checks":{"database":{"status":"internal"}},`+
		`"details":{"kafka":{"status":"unavailable","reason":"no broker answers"}}}`, read(503))
	metrics := b.do(get("/metrics")).Body.String()
	for _, line := range []string{
		`health_check_ok{check="database",gates="true"} 0`, `health_check_ok{check="kafka",gates="false"} 0`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	database, broker = nil, nil
	read(200)
	failing, passing := b.log.lines(t, "health check failing"), b.log.lines(t, "health check passing")
	if len(failing) != 2 || len(passing) != 2 {
		t.Errorf("%d failures and %d recoveries logged, want the changes only, 2 and 2", len(failing), len(passing))
	}
	b.health.drain()
	if body := read(503); !strings.Contains(body, `"draining"`) {
		t.Errorf("draining: %s", body)
	}
	if w := b.do(get("/healthz")); w.Code != 200 {
		t.Errorf("a draining process is alive: %d", w.Code)
	}
}

var elsewhere = regexp.MustCompile(`(?:src|href)="(?:https?:)?//`)

func TestDocsComeFromTheServerAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	if w := b.do(get("/docs")); w.Code != 301 || w.Header().Get("Location") != "/docs/" {
		t.Errorf("/docs: %d", w.Code)
	}
	page := b.do(get("/docs/"))
	if page.Code != 200 || elsewhere.MatchString(page.Body.String()) {
		t.Fatalf("the page loads from elsewhere:\n%s", page.Body)
	}
	loaded := 0
	for _, m := range regexp.MustCompile(`(?:src|href)="(/docs/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1) {
		loaded++
		if w := b.do(get(m[1])); w.Code != 200 || w.Body.Len() == 0 {
			t.Errorf("%s: %d", m[1], w.Code)
		}
	}
	if loaded < 2 {
		t.Errorf("the page loads %d files:\n%s", loaded, page.Body)
	}
	w := b.do(get("/openapi.json"))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil || doc.Info.Title != "things" {
		t.Errorf("/openapi.json: %v", err)
	}
	if w := newBench(t, small(), func(o *Options) { o.Spec = nil }).do(get("/docs/")); w.Code != 404 {
		t.Errorf("without a document: %d", w.Code)
	}
}

func TestNewNeedsALogAndARegistry(t *testing.T) {
	t.Parallel()
	if _, err := New(small(), Options{}); err == nil {
		t.Error("made without")
	}
	b := newBench(t, small(), nil)
	if _, err := New(small(), Options{Log: b.opts.Log, Registry: b.registry}); err == nil {
		t.Error("two servers in one registry")
	}
}
