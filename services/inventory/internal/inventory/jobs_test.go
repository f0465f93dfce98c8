package inventory_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/kit/fault"
)

var quiet = slog.New(slog.DiscardHandler)

// seeded is an inventory.Seeded made of a function.
type seeded func(context.Context, []inventory.Product) (int, error)

func (s seeded) Seed(ctx context.Context, p []inventory.Product) (int, error) { return s(ctx, p) }

func TestSeederTriesUntilItSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries, products := 0, []inventory.Product{storetest.Product(1, 1)}
		s := inventory.NewSeeder(seeded(func(_ context.Context, got []inventory.Product) (int, error) {
			same(t, "products", products, got)
			if tries++; tries < 3 {
				return 0, fault.New(fault.Unavailable, "")
			}
			return 1, nil
		}), products, quiet)
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		synctest.Wait()
		if err := s.Ready(t.Context()); !fault.Is(err, fault.Unavailable) {
			t.Errorf("Ready before the products are there = %v, want Unavailable", err)
		}
		if err := <-done; err != nil || tries != 3 {
			t.Errorf("Run = %v after %d tries", err, tries)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v", err)
		}
	})
}

func TestSeederEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := inventory.NewSeeder(seeded(func(context.Context, []inventory.Product) (int, error) {
			return 0, errors.New("never")
		}), nil, quiet)
		time.AfterFunc(5*time.Second, cancel)
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := s.Ready(t.Context()); err == nil {
			t.Error("it is ready without its products")
		}
	})
}

// levels is an inventory.Levels made of a function.
type levels func(olderThan time.Time, share int) (int, error)

func (l levels) Republish(_ context.Context, olderThan time.Time, share int) (int, error) {
	return l(olderThan, share)
}

// Every level is announced about once a minute, the catalogue spread over it, and a
// failure costs one tick.
func TestRepublisher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start, looks := time.Now(), 0
		r := inventory.Republisher{Log: quiet, Levels: levels(func(olderThan time.Time, share int) (int, error) {
			looks++
			if age := time.Since(olderThan); age != inventory.RepublishEvery {
				t.Errorf("a level is old after %s", age)
			}
			if share < 2 || share > 60 {
				t.Errorf("one in %d a tick does not spread a catalogue over a minute", share)
			}
			if looks == 2 {
				return 0, fault.New(fault.Unavailable, "")
			}
			return 1, nil
		})}
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		<-time.After(time.Minute + time.Millisecond)
		synctest.Wait()
		if looks != 60 {
			t.Errorf("%d looks in a minute", looks)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("it took %s to stop", took)
		}
	})
}

// In memory and in fake time: after a seed, and then in every minute, each of many
// levels is announced once, a tick never announces more than its share, and a stop
// of an hour is caught up within a minute.
func TestRepublishingSpreads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const products = 500
		m := &storetest.Memory{}
		list := make([]inventory.Product, products)
		for i := range list {
			list[i] = storetest.Product(i, 1)
		}
		if _, err := m.Seed(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		before, most := len(m.Levels()), 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Millisecond)
		defer cancel()
		_ = inventory.Republisher{Log: quiet, Levels: levels(func(olderThan time.Time, share int) (int, error) {
			n, err := m.Republish(ctx, olderThan, share)
			most = max(most, n)
			return n, err
		})}.Run(ctx)
		if n := len(m.Levels()) - before; n != products {
			t.Errorf("%d levels in the first minute, want %d", n, products)
		}
		if most > products/40 {
			t.Errorf("%d levels in one tick: not spread", most)
		}
	})
}
