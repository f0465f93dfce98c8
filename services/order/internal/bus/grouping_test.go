package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
)

// slow is a bus.Levels whose writes take a second each.
type slow struct {
	storetest.Memory

	mu     sync.Mutex
	groups [][]string
	fail   bool
}

func (s *slow) SaveLevels(ctx context.Context, levels []order.StockLevel) error {
	s.mu.Lock()
	var names []string
	for _, l := range levels {
		names = append(names, fmt.Sprintf("%s v%d", l.ProductID, l.Version))
	}
	slices.Sort(names)
	s.groups = append(s.groups, names)
	fail := s.fail
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if fail {
		return fault.New(fault.Unavailable, "")
	}
	return s.Memory.SaveLevels(ctx, levels)
}

func stockLevel(t *testing.T, product string, version int64) message.Message {
	t.Helper()
	m, err := contract.NewMessage(contract.StockLevelChangedEvent{
		ProductID: product, Version: version, Stock: 1, Price: contract.Money{AmountMinor: 5, Currency: "EUR"},
	}, newID(), storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// While one group is written, what comes meanwhile gathers for the next, a product
// in it once.
func TestLevelsAreWrittenInGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		handle := bus.Level(s, func() {})
		var handling sync.WaitGroup
		give := func(product string, version int64) {
			m := stockLevel(t, product, version)
			handling.Go(func() {
				if err := handle(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		begun := time.Now()
		give("1", 1)
		for i := range 5 {
			give("2", int64(5-i))
			give(fmt.Sprint(3+i), 1)
		}
		handling.Wait()
		want := [][]string{{"1 v1"}, {"2 v5", "3 v1", "4 v1", "5 v1", "6 v1", "7 v1"}}
		if diff := cmp.Diff(want, s.groups); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("eleven levels took %s, want two writes", took)
		}
	})
}

// A group that fails fails as a whole, and the next one is written.
func TestFailedGroupFailsAllOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{fail: true}
		handle := bus.Level(s, func() {})
		var handling sync.WaitGroup
		for i := range 3 {
			m := stockLevel(t, fmt.Sprint(i), 1)
			handling.Go(func() {
				if err := handle(t.Context(), m); !fault.Is(err, fault.Unavailable) {
					t.Errorf("got %v, want Unavailable", err)
				}
			})
		}
		handling.Wait()
		s.fail = false
		if err := handle(t.Context(), stockLevel(t, "9", 1)); err != nil {
			t.Error(err)
		}
	})
}

// A message whose time is up waits neither for its turn nor for its group, and
// leaves nobody behind.
func TestGroupWhoseLeaderRunsOutOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		handle := bus.Level(s, func() {})
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var handling sync.WaitGroup
		give := func(ctx context.Context, product string, want bool) {
			m := stockLevel(t, product, 1)
			handling.Go(func() {
				if err := handle(ctx, m); (err == nil) != want {
					t.Errorf("product %s: %v", product, err)
				}
			})
			synctest.Wait()
		}
		give(t.Context(), "1", true)
		give(short, "2", false)       // leads the second group and waits for the first
		give(t.Context(), "3", false) // is in it
		handling.Wait()
		if err := handle(t.Context(), stockLevel(t, "4", 1)); err != nil {
			t.Error(err)
		}
	})
}
