package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// Store is all that a store can do.
type Store interface {
	inventory.Catalogue
	inventory.Levels
	inventory.Seeded
	Once(m message.Message) inventory.Transact
}

// Run runs the suite. open returns a new and empty store each time.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	tests := map[string]func(*testing.T, Store){
		"a reservation is read as it was written":  readBack,
		"a message takes effect once":              once,
		"a message of another source is another":   otherSource,
		"an error undoes everything":               undone,
		"counts follow the movements":              counts,
		"a movement of what is not there fails":    noProduct,
		"a movement below zero fails":              belowZero,
		"products are locked by id, unknown apart": known,
		"a product is made and set":                put,
		"a count below the reserved is a conflict": conflict,
		"the catalogue is read by page":            pages,
		"a seed adds and changes nothing":          seeded,
		"old levels are announced, by share":       republished,
		"what is not there is not found":           notFound,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Product returns product n with a count.
func Product(n int, onHand int64) inventory.Product {
	return inventory.Product{
		ID: fmt.Sprintf("p-%02d", n), Name: fmt.Sprint("Product ", n), OnHand: onHand,
		Price: inventory.Money{Minor: int64(100 + n), Currency: "EUR"},
	}
}

// Message returns a new message.
func Message() message.Message {
	return message.Message{ID: uuid.NewString(), Source: "order", Type: "OrderPlacedEvent", Time: time.Now()}
}

// OrderID returns the id of a new order.
func OrderID() string { return uuid.Must(uuid.NewV7()).String() }

func seed(t *testing.T, s Store, products ...inventory.Product) {
	t.Helper()
	if added, err := s.Seed(t.Context(), products); err != nil || added != len(products) {
		t.Fatalf("Seed = %d, %v", added, err)
	}
}

func product(t *testing.T, s Store, id string) inventory.Product {
	t.Helper()
	p, err := s.Product(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// change is what reserving, picking or releasing one of product 1 writes.
func change(orderID string, m machine.Movement, f machine.Fact) inventory.Change {
	items := []inventory.Item{{ProductID: "p-01", Quantity: 3}}
	return inventory.Change{
		Reservation:  inventory.Reservation{OrderID: orderID, State: machine.Reserved, Items: items},
		Movements:    inventory.Movements(orderID, m, items),
		Announcement: inventory.Announcement{Fact: f, OrderID: orderID, OrderVersion: 1, Items: items},
	}
}

func save(t *testing.T, s Store, c inventory.Change) error {
	t.Helper()
	return s.Once(Message())(t.Context(), c.Reservation.OrderID, func(ctx context.Context, tx inventory.Tx, _ inventory.Reservation) error {
		return tx.Save(ctx, c)
	})
}

func mustSave(t *testing.T, s Store, c inventory.Change) {
	t.Helper()
	if err := save(t, s, c); err != nil {
		t.Fatal(err)
	}
}

// reservation reads what is held for an order.
func reservation(t *testing.T, s Store, orderID string) (r inventory.Reservation) {
	t.Helper()
	err := s.Once(Message())(t.Context(), orderID, func(_ context.Context, _ inventory.Tx, now inventory.Reservation) error {
		r = now
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readBack(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 5))
	id := OrderID()
	same(t, "of an unknown order", inventory.Reservation{OrderID: id}, reservation(t, s, id))
	c := change(id, machine.Reserve, machine.StockReserved)
	mustSave(t, s, c)
	same(t, "of the order", c.Reservation, reservation(t, s, id))
	same(t, "of another", inventory.Reservation{OrderID: "00000000-0000-7000-8000-000000000001"},
		reservation(t, s, "00000000-0000-7000-8000-000000000001"))
	tombstone := inventory.Change{
		Reservation:  inventory.Reservation{OrderID: OrderID(), State: machine.Tombstone},
		Announcement: inventory.Announcement{Fact: machine.StockReleased, OrderVersion: 1},
	}
	tombstone.Announcement.OrderID = tombstone.Reservation.OrderID
	mustSave(t, s, tombstone)
	same(t, "a tombstone", tombstone.Reservation, reservation(t, s, tombstone.Reservation.OrderID))
}

// runs reports how often a message runs its transaction.
func runs(t *testing.T, s Store, result error, messages ...message.Message) (n int) {
	t.Helper()
	id := OrderID()
	for _, m := range messages {
		err := s.Once(m)(t.Context(), id, func(context.Context, inventory.Tx, inventory.Reservation) error {
			n++
			return result
		})
		if !errors.Is(err, result) {
			t.Errorf("got %v, want %v", err, result)
		}
	}
	return n
}

func once(t *testing.T, s Store) {
	t.Helper()
	m := Message()
	same(t, "runs", 1, runs(t, s, nil, m, m, m))
}

func otherSource(t *testing.T, s Store) {
	t.Helper()
	m := Message()
	other := m
	other.Source = "payment"
	same(t, "runs", 2, runs(t, s, nil, m, other))
}

func undone(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 5))
	boom, m := fault.New(fault.Internal, "boom"), Message()
	c := change(OrderID(), machine.Reserve, machine.StockReserved)
	err := s.Once(m)(t.Context(), c.Reservation.OrderID, func(ctx context.Context, tx inventory.Tx, _ inventory.Reservation) error {
		if err := tx.Save(ctx, c); err != nil {
			t.Error(err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	same(t, "stock", int64(5), product(t, s, "p-01").Stock())
	same(t, "state", machine.None, reservation(t, s, c.Reservation.OrderID).State)
	same(t, "the message runs again", 1, runs(t, s, nil, m))
}

func counts(t *testing.T, s Store) {
	t.Helper()
	steps := []struct {
		move             machine.Movement
		fact             machine.Fact
		onHand, reserved int64
		version          int64
	}{
		{machine.Reserve, machine.StockReserved, 10, 3, 2},
		{machine.Release, machine.StockReleased, 10, 0, 3},
		{machine.Reserve, machine.StockReserved, 10, 3, 4},
		{machine.Pick, machine.StockPicked, 7, 0, 4},
		{machine.TakeBack, machine.StockReturned, 10, 0, 5},
	}
	seed(t, s, Product(1, 10))
	for _, step := range steps {
		mustSave(t, s, change(OrderID(), step.move, step.fact))
		want := Product(1, step.onHand)
		want.Reserved, want.Version = step.reserved, step.version
		same(t, string(step.move), want, product(t, s, "p-01"))
	}
}

func noProduct(t *testing.T, s Store) {
	t.Helper()
	for _, move := range []machine.Movement{machine.Reserve, machine.Pick} {
		if err := save(t, s, change(OrderID(), move, machine.StockReserved)); err == nil {
			t.Errorf("%s of a product that is not there was accepted", move)
		}
	}
}

func belowZero(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 2))
	for _, move := range []machine.Movement{machine.Reserve, machine.Pick, machine.Release} {
		if err := save(t, s, change(OrderID(), move, machine.StockReserved)); err == nil {
			t.Errorf("%s of three of two was accepted", move)
		}
	}
	want := Product(1, 2)
	want.Version = 1
	same(t, "the product", want, product(t, s, "p-01"))
}

func known(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 5), Product(2, 6), Product(3, 7))
	err := s.Once(Message())(t.Context(), OrderID(), func(ctx context.Context, tx inventory.Tx, _ inventory.Reservation) error {
		got, err := tx.Products(ctx, []string{"p-03", "p-99", "p-01"})
		one, three := Product(1, 5), Product(3, 7)
		one.Version, three.Version = 1, 1
		same(t, "products", map[string]inventory.Product{"p-01": one, "p-03": three}, got)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func put(t *testing.T, s Store) {
	t.Helper()
	p := Product(1, 5)
	renamed, dearer, fuller := p, p, p
	renamed.Name = "Renamed"
	dearer.Price.Minor = 7
	fuller.OnHand, fuller.Price = 9, dearer.Price
	steps := []struct {
		name    string
		set     inventory.Product
		created bool
		version int64
	}{
		{"made", p, true, 1},
		{"again", p, false, 1},
		{"renamed", renamed, false, 1},
		{"dearer", dearer, false, 2},
		{"more of it", fuller, false, 3},
		{"all at once", p, false, 4},
		{"emptied", Product(1, 0), false, 5},
	}
	for _, step := range steps {
		now, created, err := s.Put(t.Context(), step.set)
		if err != nil || created != step.created {
			t.Errorf("%s: created = %v, %v", step.name, created, err)
		}
		want := step.set
		want.Version = step.version
		same(t, step.name, want, now)
		same(t, step.name+", read", want, product(t, s, "p-01"))
	}
	if now, created, err := s.Put(t.Context(), Product(2, 0)); err != nil || !created || now.Version != 1 {
		t.Errorf("an empty product: %+v, %v, %v", now, created, err)
	}
}

func conflict(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 5))
	mustSave(t, s, change(OrderID(), machine.Reserve, machine.StockReserved))
	dearer := Product(1, 2)
	dearer.Price.Minor++
	if _, _, err := s.Put(t.Context(), dearer); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want Conflict", err)
	}
	want := Product(1, 5)
	want.Reserved, want.Version = 3, 2
	same(t, "the product", want, product(t, s, "p-01"))
	if now, _, err := s.Put(t.Context(), Product(1, 3)); err != nil || now.Stock() != 0 {
		t.Errorf("what is reserved may stay: %+v, %v", now, err)
	}
}

func pages(t *testing.T, s Store) {
	t.Helper()
	odd := inventory.Product{ID: "P.1_a", Name: "x", Price: inventory.Money{Minor: 1, Currency: "EUR"}}
	seed(t, s, Product(3, 1), Product(1, 1), odd, Product(2, 1))
	page := func(after string, limit int) []string {
		list, err := s.Products(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, p := range list {
			ids = append(ids, p.ID)
		}
		return ids
	}
	same(t, "all", []string{"P.1_a", "p-01", "p-02", "p-03"}, page("", 10))
	same(t, "the first two", []string{"P.1_a", "p-01"}, page("", 2))
	same(t, "the next", []string{"p-02", "p-03"}, page("p-01", 2))
	same(t, "after what is not there", []string{"p-02", "p-03"}, page("p-01.5", 9))
	same(t, "after the last", []string(nil), page("p-03", 2))
}

func seeded(t *testing.T, s Store) {
	t.Helper()
	seed(t, s, Product(1, 5), Product(2, 0))
	changed := Product(1, 50)
	changed.Name = "changed"
	if added, err := s.Seed(t.Context(), []inventory.Product{Product(3, 7), changed}); err != nil || added != 1 {
		t.Errorf("Seed = %d, %v; want 1", added, err)
	}
	want := Product(1, 5)
	want.Version = 1
	same(t, "what was there", want, product(t, s, "p-01"))
	same(t, "an empty one", int64(1), product(t, s, "p-02").Version)
	same(t, "what was not", int64(7), product(t, s, "p-03").OnHand)
	if added, err := s.Seed(t.Context(), nil); err != nil || added != 0 {
		t.Errorf("Seed of nothing = %d, %v", added, err)
	}
}

func republished(t *testing.T, s Store) {
	t.Helper()
	for n := range 9 {
		seed(t, s, Product(n, 1))
	}
	ahead := time.Now().Add(time.Hour)
	for _, step := range []struct {
		olderThan   time.Time
		share, want int
	}{
		{time.Now().Add(-time.Hour), 3, 0},
		{ahead, 3, 4},
		{ahead, 100, 1},
		{ahead, 1, 9},
	} {
		n, err := s.Republish(t.Context(), step.olderThan, step.share)
		if err != nil || n != step.want {
			t.Errorf("Republish one in %d = %d, %v; want %d", step.share, n, err, step.want)
		}
	}
	if v := product(t, s, "p-01").Version; v != 1 {
		t.Errorf("the version is %d: nothing changed", v)
	}
}

func notFound(t *testing.T, s Store) {
	t.Helper()
	if _, err := s.Product(t.Context(), "p-01"); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
	if list, err := s.Products(t.Context(), "", 5); err != nil || len(list) != 0 {
		t.Errorf("the empty catalogue has %v, %v", list, err)
	}
}
