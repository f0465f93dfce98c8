package bus_test

import (
	"context"
	"fmt"
	"log/slog"
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

func TestLevel(t *testing.T) {
	t.Parallel()
	m := &storetest.Memory{}
	heard := 0
	handle := bus.Level(m, func() { heard++ })
	level := func(version, stock int64) message.Message {
		msg, err := contract.NewMessage(contract.StockLevelChangedEvent{
			ProductID: "123", Version: version, Stock: stock, Price: contract.Money{AmountMinor: 5, Currency: "EUR"},
		}, newID(), storetest.Start)
		if err != nil {
			t.Fatal(err)
		}
		msg.Delivery.Partition = 3
		return msg
	}
	for _, msg := range []message.Message{level(2, 20), level(3, 30), level(2, 20)} {
		if err := handle(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SaveCaughtUp(t.Context(), 3, storetest.Start); err != nil {
		t.Fatal(err)
	}
	got, err := m.Levels(t.Context(), []string{"123"}, storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]order.Level{"123": {Stock: 30, Price: order.Money{AmountMinor: 5, Currency: "EUR"}, Fresh: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if heard != 3 {
		t.Errorf("heard %d messages, want 3: a repeat is a sign of life", heard)
	}
	for name, bad := range map[string]message.Message{"another type": golden(t, "StockPickedEvent"), "a tombstone": {Type: "StockLevelChangedEvent"}} {
		if err := handle(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

// saved is a bus.Levels that records what it is given.
type saved struct {
	mu  sync.Mutex
	at  []string
	err error
}

func (s *saved) SaveLevels(context.Context, []order.StockLevel) error { return nil }

func (s *saved) SaveCaughtUp(_ context.Context, partition int32, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, fmt.Sprintf("%d at %s", partition, at.Sub(storetest.Start)))
	return s.err
}

func TestFreshnessIsWrittenOnceATick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &saved{err: fault.New(fault.Unavailable, "")} // a failure to write stops nothing
		f := bus.NewFreshness(s, time.Second, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for _, at := range []time.Duration{1, 3, 2} {
			f.CaughtUp("Stock", 7, storetest.Start.Add(at*time.Second))
		}
		<-time.After(1500 * time.Millisecond)
		f.CaughtUp("Stock", 7, storetest.Start.Add(4*time.Second))
		<-time.After(3 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"7 at 3s", "7 at 4s"}, s.at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHint(t *testing.T) {
	t.Parallel()
	var hints order.Hints
	m := golden(t, "OrderUpdated")
	c, end := hints.Watch(m.Subject)
	defer end()
	tell := bus.Hint(&hints)
	tell(t.Context(), m)
	select {
	case <-c:
	default:
		t.Error("no hint")
	}
	m.Data = []byte("garbage")
	tell(t.Context(), m)
	select {
	case <-c:
		t.Error("garbage was taken for a hint")
	default:
	}
}
