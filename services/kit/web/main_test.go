package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logbook is a log that a test can read.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns what was logged with that message.
func (l *logbook) lines(tb testing.TB, message string) []map[string]any {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		var entry map[string]any
		if err := json.Unmarshal(line, &entry); err != nil {
			tb.Fatal(err)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// small is a configuration whose limits are easy to reach.
func small() Config {
	return Config{
		Addr: "127.0.0.1:0", MaxBodyBytes: 2048, MaxHeaderBytes: 2048, ReadTimeout: 5 * time.Second,
		RequestTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 2, MaxStreams: 1,
	}
}

func spec(tb testing.TB) *openapi3.T {
	tb.Helper()
	data, err := os.ReadFile("testdata/api.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

// bench is a server under test with everything to look at.
type bench struct {
	*Server
	log      *logbook
	registry *prometheus.Registry
	health   *Health
}

func newBench(tb testing.TB, cfg Config, change func(*Options)) *bench {
	tb.Helper()
	b := &bench{log: &logbook{}, registry: prometheus.NewRegistry(), health: &Health{}}
	opts := Options{
		Service: "things", Spec: spec(tb), Registry: b.registry, Health: b.health,
		Log: slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opts)
	}
	var err error
	if b.Server, err = New(cfg, opts); err != nil {
		tb.Fatal(err)
	}
	return b
}

// things registers handlers that succeed on every operation of the document.
func (b *bench) things() *bench {
	ok := func(c *gin.Context) { c.String(http.StatusOK, "handled") }
	b.Engine.POST("/api/things", ok)
	b.Engine.GET("/api/things", ok)
	b.Engine.GET("/api/things/:id", ok)
	return b
}

func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.Engine.ServeHTTP(w, r)
	return w
}

// post returns a good POST of a thing with that body.
func post(body string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/things", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "key")
	return r
}

const goodThing = `{"name":"abc","items":[{"quantity":1}]}`

func get(path string) *http.Request {
	return httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, http.NoBody)
}

// problem checks that an answer is a problem of that status, and returns it.
func problem(tb testing.TB, w *httptest.ResponseRecorder, status int) Problem {
	tb.Helper()
	return problemIn(tb, w.Result(), status)
}

func problemIn(tb testing.TB, r *http.Response, status int) Problem {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if r.StatusCode != status || r.Header.Get("Content-Type") != ProblemType {
		tb.Fatalf("answer %d %s, want a problem of %d:\n%s", r.StatusCode, r.Header.Get("Content-Type"), status, body)
	}
	var p Problem
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		tb.Fatal(err)
	}
	if p.Status != status || p.Type != "about:blank" || p.Title != http.StatusText(status) {
		tb.Errorf("problem = %+v", p)
	}
	if p.RequestID == "" || p.RequestID != r.Header.Get(RequestIDHeader) {
		tb.Errorf("request id %q in the body, %q in the header", p.RequestID, r.Header.Get(RequestIDHeader))
	}
	return p
}

func diff(tb testing.TB, want, got any) {
	tb.Helper()
	if d := cmp.Diff(want, got); d != "" {
		tb.Errorf("(-want +got):\n%s", d)
	}
}
