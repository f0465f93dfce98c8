package store_test

import (
	"math/rand/v2"
	"testing"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
)

// BenchmarkOrder is one order of two of many products: reserved, then picked, by
// sixteen workers at once.
func BenchmarkOrder(b *testing.B) {
	bench := open(b)
	bench.seed(1000, 1_000_000)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := storetest.OrderID()
			o := placed(id, item(rand.IntN(500), 1), item(500+rand.IntN(500), 2))
			if err := inventory.Place(b.Context(), bench.Once(storetest.Message()), o); err != nil {
				b.Error(err)
			}
			c := inventory.Command{OrderID: id, OrderVersion: 2}
			if err := inventory.Fulfil(b.Context(), bench.Once(storetest.Message()), c); err != nil {
				b.Error(err)
			}
		}
	})
}
