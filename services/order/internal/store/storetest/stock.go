package storetest

import (
	"testing"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
)

func levels(t *testing.T, s Store) {
	t.Helper()
	price := order.Money{AmountMinor: 5, Currency: "EUR"}
	for _, list := range [][]order.StockLevel{
		{{ProductID: "1", Version: 2, Stock: 20, Price: price, At: Start}},
		{
			{ProductID: "2", Version: 1, Stock: 0, Price: price, At: Start},
			{ProductID: "1", Version: 3, Stock: 30, Price: price, At: Start},
		},
		{{ProductID: "1", Version: 1, Stock: 10, Price: price, At: Start}},
		{{ProductID: "1", Version: 3, Stock: 99, Price: price, At: Start}},
	} {
		if err := s.SaveLevels(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	got := must[map[string]order.Level](t)(s.Levels(t.Context(), []string{"1", "2", "3"}, Start))
	equal(t, "levels", map[string]order.Level{"1": {Stock: 30, Price: price}, "2": {Stock: 0, Price: price}}, got)
}

func freshness(t *testing.T, s Store) {
	t.Helper()
	for p, id := range []string{"a", "b", "c"} {
		l := order.StockLevel{ProductID: id, Version: 1, Price: order.Money{Currency: "EUR"}, At: Start}
		l.Partition = int32(p) //nolint:gosec // 0 to 2
		if err := s.SaveLevels(t.Context(), []order.StockLevel{l}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		partition int32
		at        time.Time
	}{{0, Start}, {1, Start.Add(-time.Second)}, {0, Start.Add(-time.Hour)}} {
		if err := s.SaveCaughtUp(t.Context(), c.partition, c.at); err != nil {
			t.Fatal(err)
		}
	}
	got := must[map[string]order.Level](t)(s.Levels(t.Context(), []string{"a", "b", "c"}, Start))
	equal(t, "read to its end just now", true, got["a"].Fresh)
	equal(t, "a second behind", false, got["b"].Fresh)
	equal(t, "never read to its end", false, got["c"].Fresh)
}

func purged(t *testing.T, s Store) {
	t.Helper()
	var keys []order.Key
	for i := range 3 {
		c, k := Place("ada")
		k.At = Start.Add(time.Duration(i) * time.Hour)
		if err := s.Create(t.Context(), c, k); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	equal(t, "purged", int64(2), must[int64](t)(s.PurgeKeys(t.Context(), Start.Add(2*time.Hour))))
	if _, err := s.Key(t.Context(), "ada", keys[0].Key); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
	must[order.Key](t)(s.Key(t.Context(), "ada", keys[2].Key))
	must[order.Order](t)(s.Order(t.Context(), keys[0].OrderID))
}

func unsettled(t *testing.T, s Store) {
	t.Helper()
	counts, oldest, err := s.Unsettled(t.Context())
	if err != nil || len(counts) != 0 || !oldest.IsZero() {
		t.Errorf("of an empty store: %v, %v, %v", counts, oldest, err)
	}
	Placed(t, s, "ada")
	o := Placed(t, s, "ada")
	must[order.Order](t)(s.Update(t.Context(), o.ID, nil, func(o order.Order) (order.Change, error) {
		c := confirm(o)
		c.Order.Progress.Settled = true
		return c, nil
	}))
	counts, oldest, err = s.Unsettled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "counts", map[string]int{"placed": 1}, counts)
	equal(t, "oldest", Start, oldest)
}
