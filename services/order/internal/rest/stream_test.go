package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
)

func TestStreamOfOneOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	o := w.place("k")
	path := "/api/orders/" + o.ID.String() + "/events"
	s := w.stream(path, "")
	if got := s.resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the content type is %q", got)
	}
	s.want("1 placed")
	w.tell(o.ID, confirmed...)
	s.want("2 confirmed")
	w.tell(o.ID, settling...)
	s.want("3 shipped", "4 settled")
	s.ended()

	resumed := w.stream(path, "2")
	resumed.want("3 shipped", "4 settled")
	resumed.ended()
	if s := w.stream(path, "4"); s.resp.StatusCode != http.StatusNoContent {
		t.Errorf("a stream that has no more to send answers %d, want 204", s.resp.StatusCode)
	}
	w.stream(path, "0").want("1 placed", "2 confirmed", "3 shipped", "4 settled")
}

// A change whose hint is lost is found by the slow tick.
func TestStreamWithoutHints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{tick: 5 * time.Millisecond})
	o := w.place("k")
	one, all := w.stream("/api/orders/"+o.ID.String()+"/events", "1"), w.stream("/api/events", "")
	if _, err := w.service.Cancel(t.Context(), o.ID.String()); err != nil { // no hint follows
		t.Fatal(err)
	}
	one.want("2 cancelled")
	all.want("1-2 cancelled")
}

// flaky is a reader that fails some of its reads.
type flaky struct {
	order.Reader

	reads atomic.Int64
}

func (f *flaky) Timeline(ctx context.Context, id string, after int) ([]order.Entry, error) {
	if f.reads.Add(1)%2 == 0 {
		return nil, fault.New(fault.Unavailable, "")
	}
	return f.Reader.Timeline(ctx, id, after)
}

func TestStreamOutlivesFailedReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{tick: 5 * time.Millisecond, reader: func(r order.Reader) order.Reader { return &flaky{Reader: r} }})
	o := w.place("k")
	s := w.stream("/api/orders/"+o.ID.String()+"/events", "")
	s.want("1 placed")
	w.tell(o.ID, confirmed...)
	s.want("2 confirmed")
	w.tell(o.ID, settling...)
	s.want("3 shipped", "4 settled")
	s.ended()
}

func TestStreamOfAllOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	w.place("before")
	s := w.stream("/api/events", "")
	o := w.place("k")
	w.hints.Notify(o.ID.String())
	id, c, ok := s.next()
	if !ok || c.OrderID != o.ID || c.Version != 1 {
		t.Fatalf("got %s %+v, want the order placed after the beginning", id, c)
	}
	w.tell(o.ID, confirmed...)
	w.tell(w.place("other").ID, confirmed...)
	resumed := w.stream("/api/events", id)
	for _, want := range []string{"1-3 confirmed", "1-4 placed", "1-5 confirmed"} {
		s.want(want)
		resumed.want(want)
	}
	w.stream("/api/events", "0-0").want("1-1 placed", "1-2 placed", "1-3 confirmed")
}

// More changes than one read returns are all sent, without a hint between the reads.
func TestStreamReadsOnUntilThereIsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	const orders = 1100
	for i := range orders {
		c, k := place(i)
		if err := w.store.Create(t.Context(), c, k); err != nil {
			t.Fatal(err)
		}
	}
	s := w.stream("/api/events", "0-0")
	for i := range orders {
		s.want(fmt.Sprintf("1-%d placed", i+1))
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{heartbeat: 5 * time.Millisecond})
	s := w.stream("/api/events", "")
	for range 3 {
		if !s.lines.Scan() || s.lines.Text() != ": ping" || !s.lines.Scan() || s.lines.Text() != "" {
			t.Fatalf("got %q, want a comment", s.lines.Text())
		}
	}
}

func TestStreamsAreBoundedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{streams: 2, tick: time.Millisecond})
	first := w.stream("/api/events", "")
	w.stream("/api/events", "")
	if a := w.do(call{path: "/api/events"}); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := w.do(call{path: "/api/orders"}); a.status != http.StatusOK {
		t.Errorf("streams keep requests out: %d", a.status)
	}
	if n := w.open.Load(); n != 2 || w.hints.Watchers() != 2 {
		t.Errorf("%d streams are counted, %d watch", n, w.hints.Watchers())
	}
	_ = first.resp.Body.Close()
	eventually(t, "the place of the stream that left", func() bool { return w.open.Load() == 1 && w.hints.Watchers() == 1 })
	eventually(t, "room for another stream", func() bool {
		return w.stream("/api/events", "").resp.StatusCode == http.StatusOK
	})
}

func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	o := w.place("k")
	one, all := w.stream("/api/orders/"+o.ID.String()+"/events", "1"), w.stream("/api/events", "")
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	one.ended()
	all.ended()
	<-stopped
	if n := w.open.Load(); n != 0 || w.hints.Watchers() != 0 {
		t.Errorf("%d streams, %d watchers remain", n, w.hints.Watchers())
	}
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
