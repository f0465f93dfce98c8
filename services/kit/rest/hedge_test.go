package rest_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/rest"
)

func hedging(c *rest.Config) { c.HedgeAfter = 20 * time.Millisecond }

// after answers with a status after a while, or not at all when the request ends.
func after(d time.Duration, code int) transport {
	return func(req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return reply(code, ""), nil
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
}

func TestHedges(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	get, put := call{method: "GET"}, call{method: "PUT"}
	tests := map[string]struct {
		call   call
		target []transport
		change func(*rest.Config)
		status int
		sent   int32
		took   time.Duration
	}{
		"fast enough":               {get, []transport{after(10*ms, 200)}, hedging, 200, 1, 10 * ms},
		"second wins":               {get, []transport{hang, after(10*ms, 201)}, hedging, 201, 2, 30 * ms},
		"first wins after all":      {get, []transport{after(50*ms, 200), hang}, hedging, 200, 2, 50 * ms},
		"second fails, first waits": {get, []transport{after(50*ms, 200), status(503)}, hedging, 200, 2, 50 * ms},
		"a refusal is an answer":    {get, []transport{hang, status(404)}, hedging, 404, 2, 20 * ms},
		"put is not hedged":         {put, []transport{after(50*ms, 200)}, hedging, 200, 1, 50 * ms},
		"off":                       {get, []transport{after(50*ms, 200)}, func(*rest.Config) {}, 200, 1, 50 * ms},
		"no budget": {
			get,
			[]transport{after(50*ms, 200)},
			func(c *rest.Config) { hedging(c); c.RetryBurst = 0 }, 200, 1, 50 * ms,
		},
		"no room": {
			get,
			[]transport{after(50*ms, 200)},
			func(c *rest.Config) { hedging(c); c.MaxInFlight = 1 }, 200, 1, 50 * ms,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				target := steps(tt.target...)
				c, _ := faked(target, tt.change)
				start := time.Now()
				got := discard(tt.call.send(t.Context(), t, c))
				took := time.Since(start)
				if got != tt.status || target.sent.Load() != tt.sent || took != tt.took {
					t.Errorf("got %d after %v and %d requests, want %d after %v and %d",
						got, took, target.sent.Load(), tt.status, tt.took, tt.sent)
				}
			})
		})
	}
}

func TestAFailedPairIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fails := after(30*time.Millisecond, 503)
		target := steps([]transport{fails, fails, status(200)}...)
		c, reg := faked(target, hedging)
		if got := discard(get(t.Context(), t, c)); got != 200 {
			t.Errorf("got %d", got)
		}
		for result, want := range map[string]float64{"sent": 1, "answered": 0} {
			if got := metric(t, reg, "rest_client_hedges_total", "result", result); got != want {
				t.Errorf("%v hedges %s, want %v", got, result, want)
			}
		}
		if got := metric(t, reg, "rest_client_retries_total"); got != 1 {
			t.Errorf("%v retries, want 1", got)
		}
	})
}

func TestALosingAttemptIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []error
		first := func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, req.Context().Err())
			return nil, req.Context().Err()
		}
		c, reg := faked(steps(first, status(200)), hedging)
		resp, err := get(t.Context(), t, c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // nothing but the body's closing is left to be done
		mu.Lock()
		if len(ended) != 1 || !errors.Is(ended[0], context.Canceled) {
			t.Errorf("the first attempt ended with %v, want it canceled", ended)
		}
		mu.Unlock()
		if resp.StatusCode != 200 || discard(resp, nil) != 200 {
			t.Errorf("got %d", resp.StatusCode)
		}
		if got := metric(t, reg, "rest_client_attempts_total", "outcome", "canceled"); got != 1 {
			t.Errorf("%v attempts counted as canceled, want 1", got)
		}
	})
}
