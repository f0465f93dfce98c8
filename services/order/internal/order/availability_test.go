package order_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
)

// stockFunc is an order.Stock made of a function.
type stockFunc func(ctx context.Context, productID string) (order.Level, error)

func (f stockFunc) Level(ctx context.Context, productID string) (order.Level, error) {
	return f(ctx, productID)
}

func euro(n int64) order.Money { return order.Money{AmountMinor: n, Currency: "EUR"} }

var start = storetest.Start

func inStock(n int64) stockFunc {
	return func(context.Context, string) (order.Level, error) { return order.Level{Stock: n, Price: euro(10)}, nil }
}

func down(context.Context, string) (order.Level, error) {
	return order.Level{}, fault.New(fault.Unavailable, "inventory cannot answer now")
}

// availability returns one that records what was used.
func availability(live order.Stock, model order.Model, f order.Fallback) (*order.Availability, *[]order.Checked) {
	var used []order.Checked
	return &order.Availability{
		Live: live, Model: model, Fallback: f, FreshWithin: 10 * time.Second, Parallel: 4,
		Now: func() time.Time { return start }, Used: func(c order.Checked) { used = append(used, c) },
	}, &used
}

func TestPriceLive(t *testing.T) {
	t.Parallel()
	wanted := []order.Wanted{{ProductID: "1", Quantity: 2}, {ProductID: "x", Quantity: 1}, {ProductID: "3", Quantity: 50}, {ProductID: "y", Quantity: 51}}
	only := func(ids ...int) []order.Wanted {
		var list []order.Wanted
		for _, i := range ids {
			list = append(list, wanted[i])
		}
		return list
	}
	catalogue := stockFunc(func(_ context.Context, id string) (order.Level, error) {
		if id == "x" {
			return order.Level{}, fault.New(fault.NotFound, "")
		}
		return order.Level{Stock: 50, Price: euro(10)}, nil
	})
	tests := map[string]struct {
		live   order.Stock
		wanted []order.Wanted
		kind   fault.Kind
		fields []string
	}{
		"all there":           {catalogue, only(0, 2), 0, nil},
		"unknown product":     {catalogue, only(0, 1), fault.Invalid, []string{"items[1].productId"}},
		"too little":          {catalogue, only(0, 3), fault.Conflict, []string{"items[1].quantity"}},
		"every item is named": {inStock(1), only(0, 2, 3), fault.Conflict, []string{"items[0].quantity", "items[1].quantity", "items[2].quantity"}},
		"no price": {stockFunc(func(context.Context, string) (order.Level, error) {
			return order.Level{Stock: 50}, nil
		}), only(0), fault.Unavailable, nil},
		"inventory is down": {stockFunc(down), only(0, 2), fault.Unavailable, nil},
		"inventory is broken": {stockFunc(func(context.Context, string) (order.Level, error) {
			return order.Level{}, fault.New(fault.Internal, "")
		}), only(0, 2), fault.Internal, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := availability(tc.live, &storetest.Memory{}, order.Refuse)
			items, err := a.Price(t.Context(), tc.wanted)
			if tc.kind == 0 && tc.fields == nil && name == "all there" {
				if err != nil || len(items) != len(tc.wanted) || items[1].UnitPrice != euro(10) {
					t.Errorf("got %v, %v", items, err)
				}
				return
			}
			if !fault.Is(err, tc.kind) {
				t.Errorf("got %v, want %s", err, tc.kind)
			}
			if diff := cmp.Diff(tc.fields, fields(err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPriceFallback(t *testing.T) {
	t.Parallel()
	wanted := []order.Wanted{{ProductID: "1", Quantity: 5}}
	// The model: 10 pieces of product 1 in partition 0.
	model := func(caughtUp time.Duration) *storetest.Memory {
		m := &storetest.Memory{}
		_ = m.SaveLevels(t.Context(), []order.StockLevel{{ProductID: "1", Version: 1, Stock: 10, Price: euro(7)}})
		_ = m.SaveCaughtUp(t.Context(), 0, start.Add(-caughtUp))
		return m
	}
	fresh, stale, empty := model(10*time.Second), model(11*time.Second), &storetest.Memory{}
	tests := map[string]struct {
		fallback order.Fallback
		model    *storetest.Memory
		quantity int64
		price    int64 // 0: refused
		kind     fault.Kind
		used     order.Checked
	}{
		"refuse":                   {order.Refuse, fresh, 5, 0, fault.Unavailable, order.CheckedNot},
		"fresh model":              {order.ReadModel, fresh, 5, 7, 0, order.CheckedModel},
		"fresh model, too little":  {order.ReadModel, fresh, 11, 0, fault.Conflict, order.CheckedModel},
		"stale model":              {order.ReadModel, stale, 5, 0, fault.Unavailable, order.CheckedNot},
		"unknown price":            {order.ReadModel, empty, 5, 0, fault.Unavailable, order.CheckedNot},
		"deferred, fresh":          {order.ReadModelThenDeferred, fresh, 5, 7, 0, order.CheckedModel},
		"deferred, fresh, too few": {order.ReadModelThenDeferred, fresh, 11, 0, fault.Conflict, order.CheckedModel},
		"deferred, stale":          {order.ReadModelThenDeferred, stale, 11, 7, 0, order.CheckedDeferred},
		"deferred, unknown price":  {order.ReadModelThenDeferred, empty, 5, 0, fault.Unavailable, order.CheckedNot},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, used := availability(stockFunc(down), tc.model, tc.fallback)
			list := []order.Wanted{{ProductID: wanted[0].ProductID, Quantity: tc.quantity}}
			items, err := a.Price(t.Context(), list)
			if (err == nil) != (tc.price != 0) || (err != nil && !fault.Is(err, tc.kind)) {
				t.Fatalf("got %v, %v", items, err)
			}
			if err == nil && items[0].UnitPrice != euro(tc.price) {
				t.Errorf("the price is %v, want %d", items[0].UnitPrice, tc.price)
			}
			if diff := cmp.Diff([]order.Checked{tc.used}, *used); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An answer is never papered over: what inventory knows not to exist, or a defect,
// is not asked of the model.
func TestOnlyAnOutageFallsBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Internal, fault.NotFound} {
		a, used := availability(stockFunc(func(context.Context, string) (order.Level, error) {
			return order.Level{}, fault.New(kind, "")
		}), &storetest.Memory{}, order.ReadModelThenDeferred)
		if _, err := a.Price(t.Context(), []order.Wanted{{ProductID: "1", Quantity: 1}}); err == nil {
			t.Errorf("%s: no error", kind)
		}
		if diff := cmp.Diff([]order.Checked{order.CheckedLive}, *used); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStockIsAskedInParallelWithinBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		var mu sync.Mutex
		live := stockFunc(func(ctx context.Context, _ string) (order.Level, error) {
			mu.Lock()
			most.Store(max(most.Load(), now.Add(1)))
			mu.Unlock()
			defer now.Add(-1)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			return order.Level{Stock: 1, Price: euro(1)}, nil
		})
		a, _ := availability(live, &storetest.Memory{}, order.Refuse)
		wanted := make([]order.Wanted, order.MaxItems)
		for i := range wanted {
			wanted[i] = order.Wanted{ProductID: string(rune('a' + i)), Quantity: 1}
		}
		begun := time.Now()
		if _, err := a.Price(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 25*time.Second || most.Load() != 4 {
			t.Errorf("100 items took %s with %d at once, want 25s with 4", took, most.Load())
		}
	})
}

// The first outage ends the other questions of the order, and is what is reported.
func TestOutageEndsTheOtherQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		live := stockFunc(func(ctx context.Context, id string) (order.Level, error) {
			if id == "down" {
				return down(ctx, id)
			}
			<-ctx.Done()
			return order.Level{}, ctx.Err()
		})
		a, _ := availability(live, &storetest.Memory{}, order.Refuse)
		_, err := a.Price(t.Context(), []order.Wanted{{ProductID: "slow", Quantity: 1}, {ProductID: "down", Quantity: 1}})
		if isContext := fault.Is(err, fault.Unavailable) && fields(err) == nil; !isContext {
			t.Fatal(err)
		}
		if context.Cause(t.Context()) != nil || !cmp.Equal(public(err), "inventory cannot answer now") {
			t.Errorf("got %v, want what ended the others", err)
		}
	})
}

// A live check may not use up the time of its own replacement.
func TestLiveCheckLeavesTimeForTheModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := stockFunc(func(ctx context.Context, _ string) (order.Level, error) {
			<-ctx.Done()
			return order.Level{}, ctx.Err()
		})
		m := &storetest.Memory{}
		_ = m.SaveLevels(t.Context(), []order.StockLevel{{ProductID: "1", Version: 1, Stock: 10, Price: euro(7)}})
		a, _ := availability(hangs, m, order.ReadModelThenDeferred)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		items, err := a.Price(ctx, []order.Wanted{{ProductID: "1", Quantity: 1}})
		if err != nil || len(items) != 1 {
			t.Errorf("got %v, %v", items, err)
		}
	})
}
