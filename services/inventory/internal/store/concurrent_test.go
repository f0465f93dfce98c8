package store_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/message"
)

// Fifty orders over the same products, named in opposite orders, each message
// delivered twice, for less stock than they want: nobody deadlocks, no count goes
// below zero, and each order has all of its items or none.
func TestConcurrentOrdersOverTheSameProducts(t *testing.T) {
	t.Parallel()
	b := open(t)
	const orders, products, stock = 50, 6, 30
	b.seed(products, stock)
	ids := make([]string, orders)
	all(orders, func(n int) {
		ids[n] = storetest.OrderID()
		items := make([]inventory.Item, 0, products)
		for p := range products {
			items = append(items, item(p, 1))
		}
		if n%2 == 1 {
			for i, j := 0, products-1; i < j; i, j = i+1, j-1 {
				items[i], items[j] = items[j], items[i]
			}
		}
		m := storetest.Message()
		all(2, func(int) {
			if err := inventory.Place(t.Context(), b.Once(m), placed(ids[n], items...)); err != nil {
				t.Errorf("place: %v", err)
			}
		})
	})
	if n := b.query(`SELECT count(*) FROM reservation WHERE state = 'reserved'`); n != stock {
		t.Errorf("%d orders are reserved, want %d", n, stock)
	}
	if n := b.query(`SELECT count(*) FROM product WHERE reserved <> $1 OR on_hand <> $1`, stock); n != 0 {
		t.Errorf("%d products are not reserved to the last", n)
	}
	b.conserved()
	b.end(ids)
	b.risen(b.published(), products)
}

// end fulfils and undoes orders in any order, concurrently, with the catalogue being
// set and republished meanwhile.
func (b *bench) end(ids []string) {
	b.t.Helper()
	ctx := b.t.Context()
	check := func(what string, err error) {
		var unreachable *machine.UnreachableError
		if err != nil && !errors.As(err, &unreachable) {
			b.t.Errorf("%s: %v", what, err)
		}
	}
	all(len(ids), func(n int) {
		c := inventory.Command{OrderID: ids[n], OrderVersion: 2}
		if rand.IntN(2) == 0 {
			check("fulfil", inventory.Fulfil(ctx, b.Once(storetest.Message()), c))
		}
		check("undo", inventory.Undo(ctx, b.Once(storetest.Message()), c))
		_, _, err := b.Put(ctx, storetest.Product(n%3, int64(30+n)))
		check("put", err)
		_, err = b.Republish(ctx, time.Now(), 2)
		check("republish", err)
	})
	if n := b.query(`SELECT count(*) FROM product WHERE reserved <> 0`); n != 0 {
		b.t.Errorf("%d products are still reserved", n)
	}
	b.conserved()
}

// risen checks that the levels of each product were left in the outbox in the order
// of their versions, without a gap, and that the last is the product's own.
func (b *bench) risen(messages []message.Message, products int) {
	b.t.Helper()
	last := map[string]contract.StockLevelChangedEvent{}
	for _, m := range messages {
		if m.Type != "StockLevelChangedEvent" {
			continue
		}
		l, err := contract.Decode[contract.StockLevelChangedEvent](m)
		if err != nil {
			b.t.Fatal(err)
		}
		was, seen := last[l.ProductID]
		if !seen {
			was.Version = 1
		}
		if l.Version != was.Version+1 && (l.Version != was.Version || (seen && l != was)) {
			b.t.Errorf("after version %d of %s came %d", was.Version, l.ProductID, l.Version)
		}
		last[l.ProductID] = l
	}
	for n := range products {
		p, err := b.Product(b.t.Context(), storetest.Product(n, 0).ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if l := last[p.ID]; l.Version != p.Version || l.Stock != p.Stock() || l.Price.AmountMinor != p.Price.Minor {
			b.t.Errorf("the last level announced is %+v of %+v", l, p)
		}
	}
}

// all runs fn for 0 to n-1 at once and waits for all.
func all(n int, fn func(int)) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { fn(i) })
	}
	running.Wait()
}

// Fulfilment and cancellation of one order at the same moment end in one of the two
// legal ways, whichever is first.
func TestConcurrentCommandsOfOneOrder(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.seed(2, 100)
	all(10, func(int) {
		id := storetest.OrderID()
		if err := inventory.Place(t.Context(), b.Once(storetest.Message()), placed(id, item(0, 2), item(1, 1))); err != nil {
			t.Error(err)
		}
		all(6, func(n int) {
			do := inventory.Undo
			if n%2 == 0 {
				do = inventory.Fulfil
			}
			if err := do(t.Context(), b.Once(storetest.Message()), inventory.Command{OrderID: id, OrderVersion: 2}); err != nil {
				t.Error(err)
			}
		})
	})
	if n := b.query(`SELECT count(*) FROM reservation WHERE state IN ('returned', 'released')`); n != 10 {
		t.Errorf("%d orders are closed, want 10", n)
	}
	if n := b.query(`SELECT count(*) FROM outbox WHERE type IN ('StockReturnedEvent', 'StockReleasedEvent')`); n != 10 {
		t.Errorf("%d closing facts, want 10", n)
	}
	if n := b.query(`SELECT sum(on_hand - reserved) FROM product`); n != 200 {
		t.Errorf("the stock is %d, want 200", n)
	}
	b.conserved()
}
