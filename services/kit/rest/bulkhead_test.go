package rest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

func narrow(c *rest.Config) { c.MaxInFlight = 2 }

func TestBulkheadBoundsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := steps(hang)
		c, reg := faked(target, narrow, once)
		ctx, cancel := context.WithCancel(t.Context())
		var held sync.WaitGroup
		for range 2 {
			held.Go(func() { _ = discard(get(ctx, t, c)) })
		}
		synctest.Wait()
		if got := metric(t, reg, "rest_client_in_flight"); got != 2 {
			t.Errorf("%v in flight, want 2", got)
		}

		start := time.Now()
		err := failed(t.Context(), t, c)
		if !errors.Is(err, rest.ErrBulkheadFull) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want a full bulkhead of kind Unavailable", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("waited %v for room, want 100ms", took)
		}
		if target.sent.Load() != 2 {
			t.Errorf("%d requests were sent, want 2", target.sent.Load())
		}
		if got := metric(t, reg, "rest_client_calls_total", "outcome", "bulkhead_full"); got != 1 {
			t.Errorf("%v calls counted as rejected, want 1", got)
		}
		cancel()
		held.Wait()
		if got := metric(t, reg, "rest_client_in_flight"); got != 0 {
			t.Errorf("%v in flight after all, want 0", got)
		}
	})
}

func TestBulkheadLetsInWhoWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := faked(transport(sleepy), narrow, func(c *rest.Config) { c.MaxWait = time.Second })
		start := time.Now()
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if got := discard(get(t.Context(), t, c)); got != 200 {
					t.Errorf("got %d", got)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("six calls of 100ms, two at a time, took %v", took)
		}
	})
}

func TestWaitingForRoomEndsWithTheCall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 10*time.Millisecond)
		}, nil},
		"caller went away": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(10*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := faked(transport(sleepy), narrow, func(c *rest.Config) { c.MaxWait = time.Hour })
				var held sync.WaitGroup
				for range 2 {
					held.Go(func() { _ = discard(get(t.Context(), t, c)) })
				}
				synctest.Wait()
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				start := time.Now()
				err := failed(ctx, t, c)
				if !fault.Is(err, fault.Unavailable) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); took != 10*time.Millisecond {
					t.Errorf("waited %v, want 10ms", took)
				}
				held.Wait()
			})
		})
	}
}
