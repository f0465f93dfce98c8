package rest_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/rest"
)

// With the target down and the breaker off, the budget alone keeps the load near
// what it is without retries.
func TestRetriesCannotMultiplyAnOutage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		target  transport
		workers int
		change  func(*rest.Config)
	}{
		"one call after another":  {status(503), 1, breakerOff},
		"many calls at once":      {status(503), 50, breakerOff},
		"connections refused":     {lost, 50, breakerOff},
		"no answers":              {hang, 50, breakerOff},
		"slow answers and hedges": {sleepy, 50, func(c *rest.Config) { breakerOff(c); c.HedgeAfter = 10 * time.Millisecond }},
		"no answers and hedges":   {hang, 50, func(c *rest.Config) { breakerOff(c); c.HedgeAfter = 10 * time.Millisecond }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const calls = 500
				target := steps(tt.target)
				c, reg := faked(target, tt.change)
				var wg sync.WaitGroup
				for range tt.workers {
					wg.Go(func() {
						for range calls / tt.workers {
							_ = discard(get(t.Context(), t, c))
						}
					})
				}
				wg.Wait()
				per := float64(target.sent.Load()) / calls
				if per >= 1.2 || per <= 1 {
					t.Errorf("%.3f requests a call, want more than 1 and less than 1.2", per)
				}
				if extra := target.sent.Load() - calls; extra > calls/10+5 {
					t.Errorf("%d extra requests, want %d at most", extra, calls/10+5)
				}
				if left := metric(t, reg, "rest_client_retry_budget"); left >= 1 {
					t.Errorf("%v tokens left, want the budget used up", left)
				}
			})
		})
	}
}

// sleepy works, but so slowly that every call would hedge.
func sleepy(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(100 * time.Millisecond):
		return reply(200, ""), nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func TestTheBudgetComesBackWithTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		target := steps(func(*http.Request) (*http.Response, error) {
			if down {
				return reply(503, ""), nil
			}
			return reply(200, ""), nil
		})
		c, reg := faked(target, breakerOff)
		call := func(n int) int32 {
			before := target.sent.Load()
			for range n {
				_ = discard(get(t.Context(), t, c))
			}
			return target.sent.Load() - before - int32(n)
		}
		if extra := call(20); extra < 5 || extra > 7 {
			t.Errorf("%d extra requests of 20 calls, want the burst of 5 and the share of 2", extra)
		}
		if got := metric(t, reg, "rest_client_retries_refused_total", "reason", "budget"); got == 0 {
			t.Error("no retry was refused for the budget")
		}
		down = false
		if extra := call(50); extra != 0 {
			t.Errorf("%d extra requests while the target works", extra)
		}
		down = true
		if extra := call(1); extra != 2 {
			t.Errorf("%d extra requests after it was filled again, want 2", extra)
		}
	})
}

func TestABudgetOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := steps(status(503))
		c, _ := faked(target, breakerOff, func(c *rest.Config) { c.RetryShare, c.RetryBurst = 0, 0 })
		for range 50 {
			_ = discard(get(t.Context(), t, c))
		}
		if target.sent.Load() != 50 {
			t.Errorf("%d requests of 50 calls", target.sent.Load())
		}
	})
}
