package shipping_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store/storetest"
)

// labels is a shipping.Labels made of a function.
type labels func(before time.Time, limit int) (int, error)

func (l labels) PrintAgain(_ context.Context, before time.Time, limit int) (int, error) {
	return l(before, limit)
}

var quiet = slog.New(slog.DiscardHandler)

// A shipment that waits for its label is reminded of once it is late, and again
// after the same time, and never when it is not.
func TestReminder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &storetest.Memory{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- shipping.Reminder{Labels: m, Log: quiet, After: 2 * time.Minute, Every: 15 * time.Second}.Run(ctx)
		}()
		synctest.Wait()
		err := shipping.Fulfil(ctx, m.For(storetest.Message()), shipping.Request{OrderID: orderID, OrderVersion: 1, Level: "express"})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait time.Duration
			sent int
		}{{2 * time.Minute, 1}, {16 * time.Second, 2}, {2 * time.Minute, 2}, {16 * time.Second, 3}} {
			<-time.After(step.wait)
			synctest.Wait()
			if n := len(m.Said()); n != step.sent {
				t.Errorf("PrintLabel was sent %d times, want %d", n, step.sent)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// However many are late, one look reminds of all, by batches; a failure ends the
// look and costs nothing more.
func TestReminderGoesOnWhileBatchesAreFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var looks, left atomic.Int64
		left.Store(250)
		l := labels(func(before time.Time, limit int) (int, error) {
			if age := time.Since(before); age != time.Minute {
				t.Errorf("late is what was asked for %s ago", age)
			}
			if looks.Add(1) == 1 {
				return limit, fault.New(fault.Unavailable, "")
			}
			n := min(limit, int(left.Load()))
			left.Add(-int64(n))
			return n, nil
		})
		done := make(chan error, 1)
		go func() {
			done <- shipping.Reminder{Labels: l, Log: quiet, After: time.Minute, Every: 10 * time.Second}.Run(ctx)
		}()
		<-time.After(11 * time.Second) // past the first tick
		synctest.Wait()
		same(t, "looks that failed", int64(1), looks.Load())
		<-time.After(10 * time.Second)
		synctest.Wait()
		same(t, "left", int64(0), left.Load())
		same(t, "looks in all", int64(1+3), looks.Load())
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
