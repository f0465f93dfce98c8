package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/lifecycle"
)

const streamPath = "/api/things/0192d3b4-0000-7000-8000-000000000001/events"

// asked is one request that is being answered.
type asked struct {
	*http.Response
	lines *bufio.Scanner
}

// ask sends a GET to a running server.
func ask(t *testing.T, client *http.Client, addr, path string) asked {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Body.Close() })
	return asked{r, bufio.NewScanner(r.Body)}
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ticks registers a stream that sends an event at once, and one on every tick.
func (b *bench) ticks(ticks <-chan time.Time) {
	b.Engine.GET("/api/things/:id/events", Handle(func(c *gin.Context) error {
		events, err := OpenEvents(c.Writer)
		for n := 1; err == nil; n++ {
			err = events.Send(Event{ID: fmt.Sprint(n), Name: "tick", Data: []byte("line one\nline two")})
			select {
			case <-c.Done():
				return nil
			case <-ticks:
			}
		}
		return err
	}))
}

func TestStreamsHaveNoDeadline(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.RequestTimeout, cfg.ReadTimeout = 500*time.Millisecond, 500*time.Millisecond
	b := newBench(t, cfg, nil)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	b.ticks(ticker.C)
	addr := b.serve(t)
	stream := ask(t, newClient(t), addr, streamPath)
	if stream.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("headers = %v", stream.Header)
	}
	var got []string
	for stream.lines.Scan() && len(got) < 50 { // ten events, a second
		got = append(got, stream.lines.Text())
	}
	diff(t, "id: 10|event: tick|data: line one|data: line two|", strings.Join(got[45:], "|"))
}

func TestStreamsHaveSlotsOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	b.ticks(nil)
	addr, client := b.serve(t), newClient(t)
	first := ask(t, client, addr, streamPath)
	first.lines.Scan()
	problemIn(t, ask(t, client, addr, streamPath).Response, http.StatusServiceUnavailable)
	if r := ask(t, client, addr, "/api/things"); r.StatusCode != http.StatusOK {
		t.Errorf("a stream takes a slot of requests: %d", r.StatusCode)
	}
}

func TestNamedStreams(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), func(o *Options) { o.Spec, o.Streams = nil, []string{"GET /own/{id}"} })
	b.Engine.GET("/own/:id", func(c *gin.Context) {
		if _, has := c.Deadline(); has {
			t.Error("a stream has a deadline")
		}
		c.Status(http.StatusOK)
	})
	b.do(get("/own/1"))
}

func TestDrain(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), func(o *Options) { o.DrainDelay = 2 * time.Second })
	entered, release := make(chan struct{}), make(chan struct{})
	b.Engine.GET("/wait", func(c *gin.Context) { close(entered); <-release; c.String(http.StatusOK, "finished") })
	b.ticks(nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	<-b.Listening()
	addr, client := b.Addr().String(), newClient(t)
	stream := ask(t, client, addr, streamPath)
	inFlight := make(chan string, 1)
	go func() {
		body, _ := io.ReadAll(ask(t, client, addr, "/wait").Body)
		inFlight <- string(body)
	}()
	<-entered

	stop()
	eventually(t, "readiness is off", func() bool { return b.health.isDraining() })
	during := ask(t, newClient(t), addr, "/readyz") // accepted: the drain delay has begun
	if during.StatusCode != http.StatusServiceUnavailable || !during.Close {
		t.Errorf("while draining: status %d, connection closed %v", during.StatusCode, during.Close)
	}
	for stream.lines.Scan() { // the stream is told to end after the delay
		continue
	}
	eventually(t, "no connection is accepted", func() bool {
		_, err := newClient(t).Get("http://" + addr + "/healthz") //nolint:noctx,bodyclose // it is to fail
		return err != nil
	})
	select {
	case err := <-done:
		t.Fatalf("Run returned with a request in flight: %v", err)
	default:
	}
	close(release)
	diff(t, "finished", <-inFlight)
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestHardStopCutsRequestsOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	entered := make(chan struct{})
	b.Engine.GET("/wait", func(c *gin.Context) { close(entered); <-c.Done() })
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- lifecycle.Serve(ctx, lifecycle.Config{ShutdownTimeout: 100 * time.Millisecond},
			lifecycle.Stage{{Name: "http", Run: b.Run}})
	}()
	<-b.Listening()
	go func() { _, _ = newClient(t).Get("http://" + b.Addr().String() + "/wait") }() //nolint:noctx,bodyclose // it is cut off
	<-entered
	stop()
	if err := <-served; !errors.Is(err, lifecycle.ErrHardStop) {
		t.Errorf("err = %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	first := newBench(t, small(), nil)
	cfg := small()
	cfg.Addr = first.serve(t)
	err := newBench(t, cfg, nil).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HTTP_ADDR") {
		t.Errorf("err = %v, want it to name the variable", err)
	}
}
