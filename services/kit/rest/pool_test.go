package rest_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/services/kit/rest"
)

// connections counts a server's connections.
type connections struct{ made, open atomic.Int64 }

func (n *connections) watch(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		n.made.Add(1)
		n.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		n.open.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

func counting(t *testing.T, change ...func(*rest.Config)) (*rest.Client, *connections) {
	t.Helper()
	n := &connections{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	}))
	s.Config.ConnState = n.watch
	s.Start()
	cfg := config(change...)
	cfg.URL = s.URL
	c := rest.New(cfg, rest.Options{Name: "target"})
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, n
}

// eventually polls a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-time.After(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("not so after 5s: %s", what)
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	c, n := counting(t)
	for range 50 {
		_ = discard(get(t.Context(), t, c))
	}
	if n.made.Load() != 1 {
		t.Errorf("%d connections for 50 calls, want 1", n.made.Load())
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				_ = discard(get(t.Context(), t, c))
			}
		})
	}
	wg.Wait()
	// A caller may be faster than its last connection's way back to the pool.
	if n.made.Load() > 100 {
		t.Errorf("%d connections for 400 calls of 20 callers", n.made.Load())
	}
}

func TestConnectionsAreReplacedWithAge(t *testing.T) {
	t.Parallel()
	const age = 50 * time.Millisecond
	c, n := counting(t, func(c *rest.Config) { c.ConnectionAge = age })
	for end := time.Now().Add(10 * age); time.Now().Before(end); {
		if got := discard(get(t.Context(), t, c)); got != 200 {
			t.Fatalf("got %d", got)
		}
	}
	if got := n.made.Load(); got < 5 || got > 20 {
		t.Errorf("%d connections in ten ages, want about ten", got)
	}
	eventually(t, "only the newest connection is open", func() bool { return n.open.Load() <= 1 })
}

func TestReplacedConnectionsFinishWhatIsInFlight(t *testing.T) {
	t.Parallel()
	c, n := counting(t, func(c *rest.Config) { c.ConnectionAge = time.Millisecond })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got := discard(get(t.Context(), t, c)); got != 200 {
					t.Errorf("got %d", got)
				}
			}
		})
	}
	wg.Wait()
	c.Close()
	if n.made.Load() < 10 {
		t.Errorf("only %d connections were made", n.made.Load())
	}
}
