package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/kit/fault"
)

// A change by hand is a movement, and is announced.
func TestPutIsARecordedMovement(t *testing.T) {
	t.Parallel()
	b := open(t)
	p := storetest.Product(1, 5)
	for _, onHand := range []int64{5, 5, 9, 0} {
		p.OnHand = onHand
		if _, _, err := b.Put(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		b.conserved()
	}
	var got []string
	for _, m := range b.published() {
		got = append(got, describe(t, m))
	}
	if diff := cmp.Diff([]string{
		"StockLevelChangedEvent p-01 v1 5", "StockLevelChangedEvent p-01 v2 9", "StockLevelChangedEvent p-01 v3 0",
	}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if n := b.query(`SELECT count(*) FROM movement WHERE kind = 'adjust' AND order_id IS NULL`); n != 3 {
		t.Errorf("%d movements, want 3", n)
	}
	p.Name = "with a NUL \x00"
	if _, _, err := b.Put(t.Context(), p); !fault.Is(err, fault.Invalid) {
		t.Errorf("text that cannot be kept: got %v, want Invalid", err)
	}
}

// A large catalogue is seeded by two replicas at once, in opposite orders, and by
// one again: every product once, with its movement and its level.
func TestSeedByTwoReplicas(t *testing.T) {
	t.Parallel()
	b := open(t)
	const products = 1200
	var added atomic.Int64
	all(2, func(replica int) {
		list := make([]inventory.Product, products)
		for i := range list {
			n := i
			if replica == 1 {
				n = products - 1 - i
			}
			list[i] = inventory.Product{ID: fmt.Sprint(n), Name: "x", OnHand: 3, Price: inventory.Money{Minor: 1, Currency: "EUR"}}
		}
		for range 2 {
			n, err := b.Seed(t.Context(), list)
			if err != nil {
				t.Error(err)
			}
			added.Add(int64(n))
		}
	})
	if n := added.Load(); n != products {
		t.Errorf("%d were added, want %d", n, products)
	}
	b.conserved()
	if n := b.query(`SELECT count(DISTINCT key) FROM outbox WHERE type = 'StockLevelChangedEvent'`); n != products {
		t.Errorf("%d levels, want %d", n, products)
	}
	if n := b.query(`SELECT count(*) FROM outbox`); n != products {
		t.Errorf("%d messages, want %d", n, products)
	}
	if n := b.query(`SELECT count(*) FROM product WHERE version = 1 AND published_at BETWEEN now() - interval '2 minutes' AND now()`); n != products {
		t.Errorf("%d products are as new, want %d", n, products)
	}
}

// Republishing goes from the oldest on, leaves what others hold, and repeats the
// level as it is.
func TestRepublishTakesTheOldest(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.seed(6, 4)
	age := func(n, minutes int) {
		b.exec(`UPDATE product SET published_at = now() - make_interval(mins => $2) WHERE id = $1`, storetest.Product(n, 0).ID, minutes)
	}
	for n := range 6 {
		age(n, 10+n)
	}
	age(3, 0)
	err := b.db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM product WHERE id = 'p-05' FOR UPDATE`); err != nil {
			return err
		}
		n, err := b.Republish(ctx, time.Now().Add(-time.Minute), 3)
		if n != 3 {
			t.Errorf("%d levels, want 3", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range b.published() {
		got[describe(t, m)] = true
	}
	if diff := cmp.Diff(map[string]bool{
		"StockLevelChangedEvent p-04 v1 4": true, "StockLevelChangedEvent p-02 v1 4": true, "StockLevelChangedEvent p-01 v1 4": true,
	}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	woken := b.woken.Load()
	for range 2 { // the one that was held and the last of the old ones; then nothing
		if _, err := b.Republish(t.Context(), time.Now().Add(-time.Minute), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.published()); n != 2 || b.woken.Load() != woken+1 {
		t.Errorf("%d levels and the relay woken %d times, want 2 and once", n, b.woken.Load()-woken)
	}
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}
