package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/deadline"
)

func TestSizeLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	large := `{"name":"` + strings.Repeat("a", 3000) + `"}`
	chunked := post(large)
	chunked.ContentLength = -1
	tests := map[string]struct {
		request *http.Request
		status  int
	}{
		"body":          {post(large), http.StatusRequestEntityTooLarge},
		"chunked body":  {chunked, http.StatusRequestEntityTooLarge},
		"URL":           {get("/api/things?x=" + strings.Repeat("a", 1024)), http.StatusRequestURITooLong},
		"header":        {withLong(get("/api/things"), 2048), http.StatusRequestHeaderFieldsTooLarge},
		"of no route":   {withLong(get("/nothing"), 2048), http.StatusRequestHeaderFieldsTooLarge},
		"just in limit": {withLong(get("/nothing"), 2000), http.StatusNotFound},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problem(t, b.do(tc.request), tc.status)
		})
	}
}

func withLong(r *http.Request, length int) *http.Request {
	return withHeader(r, "X-Long", strings.Repeat("a", length))
}

// serve runs the server until the test ends and returns its address.
func (b *bench) serve(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-b.Listening()
	return b.Addr().String()
}

// raw sends text over a connection of its own and returns the answer.
func raw(t *testing.T, addr, text string) *http.Response {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Body.Close() })
	return r
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.ReadTimeout = 100 * time.Millisecond
	b := newBench(t, cfg, nil).things()
	const half = "POST /api/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	r := raw(t, b.serve(t), half) //nolint:bodyclose // raw closes it
	problemIn(t, r, http.StatusRequestTimeout)
}

func TestBodyThatEndsEarly(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	r := post("")
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{})), 10
	problem(t, b.do(r), http.StatusBadRequest)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	entered, release := make(chan struct{}), make(chan struct{})
	b.Engine.GET("/wait", func(c *gin.Context) { entered <- struct{}{}; <-release; c.Status(http.StatusOK) })
	answers := make(chan int, 2)
	for range 2 {
		go func() { answers <- b.do(get("/wait")).Code }()
		<-entered
	}
	w := b.do(get("/wait"))
	problem(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("the answer does not say when to come back")
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if w := b.do(get(path)); w.Code != http.StatusOK {
			t.Errorf("%s answers %d while the service is full", path, w.Code)
		}
	}
	diff(t, 1.0, testutil.ToFloat64(b.metrics.refused.WithLabelValues("overload")))
	close(release)
	for range 2 {
		diff(t, http.StatusOK, <-answers)
	}
	go func() { <-entered }()
	if w := b.do(get("/wait")); w.Code != http.StatusOK {
		t.Errorf("a slot was not given back: %d", w.Code)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	var left time.Duration
	called := false
	b := newBench(t, small(), nil)
	b.Engine.GET("/jobs", func(c *gin.Context) {
		called = true
		until, _ := c.Deadline()
		left = time.Until(until)
		c.Status(http.StatusOK)
	})
	ask := func(value string) *httptest.ResponseRecorder {
		called, left = false, 0
		return b.do(withHeader(get("/jobs"), deadline.Header, value))
	}
	if w := ask(""); w.Code != 200 || left <= 4*time.Second || left > 5*time.Second {
		t.Errorf("without one: status %d, %s left", w.Code, left)
	}
	if w := ask(deadline.Format(time.Now().Add(2 * time.Second))); w.Code != 200 || left > 2*time.Second {
		t.Errorf("an earlier one: status %d, %s left", w.Code, left)
	}
	if w := ask(deadline.Format(time.Now().Add(time.Hour))); w.Code != 200 || left > 5*time.Second {
		t.Errorf("a later one: status %d, %s left", w.Code, left)
	}
	problem(t, ask(deadline.Format(time.Now().Add(-time.Millisecond))), http.StatusGatewayTimeout)
	if called {
		t.Error("work was done whose deadline had passed")
	}
	p := problem(t, ask("soon"), http.StatusBadRequest)
	diff(t, []FieldError{{deadline.Header, "must be a time in RFC 3339"}}, p.Errors)
}

func TestDeadlineThatPassesMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.GET("/jobs", Handle(func(c *gin.Context) error {
		<-c.Done()
		return fmt.Errorf("ask the stock: %w", c.Err())
	}))
	r := withHeader(get("/jobs"), deadline.Header, deadline.Format(time.Now().Add(50*time.Millisecond)))
	problem(t, b.do(r), http.StatusGatewayTimeout)
}

func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.GET("/half", func(c *gin.Context) {
		c.Header("Content-Length", "10")
		_, _ = c.Writer.WriteString("half")
		c.Writer.Flush()
		panic("boom")
	})
	r := raw(t, b.serve(t), "GET /half HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:bodyclose // raw closes it
	if _, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v: half an answer passed for a whole one", err)
	}
}

func TestAbortHandlerIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.GET("/abort", func(*gin.Context) { panic(http.ErrAbortHandler) })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("panic = %v", p)
		}
	}()
	b.do(get("/abort"))
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		bad    string
	}{
		"as it is":     {func(*Config) {}, ""},
		"address":      {func(c *Config) { c.Addr = "8080" }, "HTTP_ADDR"},
		"body":         {func(c *Config) { c.MaxBodyBytes = 1 }, "HTTP_MAX_BODY_BYTES"},
		"header":       {func(c *Config) { c.MaxHeaderBytes = 1 }, "HTTP_MAX_HEADER_BYTES"},
		"read timeout": {func(c *Config) { c.ReadTimeout = 0 }, "HTTP_READ_TIMEOUT"},
		"request":      {func(c *Config) { c.RequestTimeout = 0 }, "HTTP_REQUEST_TIMEOUT"},
		"idle":         {func(c *Config) { c.IdleTimeout = 0 }, "HTTP_IDLE_TIMEOUT"},
		"in flight":    {func(c *Config) { c.MaxInFlight = 0 }, "HTTP_MAX_IN_FLIGHT"},
		"streams":      {func(c *Config) { c.MaxStreams = 0 }, "HTTP_MAX_STREAMS"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small()
			tc.change(&cfg)
			var p *config.Problem
			errors.As(cfg.Validate(), &p)
			if tc.bad == "" && p != nil || tc.bad != "" && (p == nil || p.Variable != tc.bad) {
				t.Errorf("problem = %v, want one of %q", p, tc.bad)
			}
		})
	}
}
