package inventory_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// shelf is a store with ten each of the products 1 to 3.
func shelf(t *testing.T) *storetest.Memory {
	t.Helper()
	m := &storetest.Memory{}
	if _, err := m.Seed(t.Context(), []inventory.Product{storetest.Product(1, 10), storetest.Product(2, 10), storetest.Product(3, 10)}); err != nil {
		t.Fatal(err)
	}
	return m
}

func items(quantities ...int64) []inventory.Item {
	list := make([]inventory.Item, len(quantities))
	for i, q := range quantities {
		list[i] = inventory.Item{ProductID: storetest.Product(i+1, 0).ID, Quantity: q}
	}
	return list
}

// The messages of one order, in a line of a test.
const (
	place  = "place"
	fulfil = "fulfil"
	undo   = "undo"
)

// send brings a message about order "o" as a new one, as version n of the order.
func send(ctx context.Context, m *storetest.Memory, what string, n int, ordered []inventory.Item) error {
	once, c := m.Once(storetest.Message()), inventory.Command{OrderID: "o", OrderVersion: n}
	switch what {
	case fulfil:
		return inventory.Fulfil(ctx, once, c)
	case undo:
		return inventory.Undo(ctx, once, c)
	}
	return inventory.Place(ctx, once, inventory.Placed{OrderID: "o", Version: n, Items: ordered})
}

func TestReactions(t *testing.T) {
	t.Parallel()
	ordered := items(2, 3)
	fact := func(f machine.Fact, version int, items []inventory.Item) inventory.Announcement {
		return inventory.Announcement{Fact: f, OrderID: "o", OrderVersion: version, Items: items}
	}
	tooMany := items(2, 11, 12)
	tests := map[string]struct {
		items    []inventory.Item
		messages []string
		state    machine.State
		facts    []inventory.Announcement
		stock    []int64 // of the products 1 to 3
		onHand   []int64
	}{
		"reserved": {
			ordered,
			[]string{place},
			machine.Reserved,
			[]inventory.Announcement{fact(machine.StockReserved, 1, ordered)},
			[]int64{8, 7, 10},
			[]int64{10, 10, 10},
		},
		"all of it": {
			items(10),
			[]string{place},
			machine.Reserved,
			[]inventory.Announcement{fact(machine.StockReserved, 1, items(10))},
			[]int64{0, 10, 10},
			[]int64{10, 10, 10},
		},
		"rejected: all or none": {
			tooMany,
			[]string{place},
			machine.Rejected,
			[]inventory.Announcement{{Fact: machine.StockRejected, OrderID: "o", OrderVersion: 1, Shortages: []inventory.Shortage{
				{ProductID: "p-02", Requested: 11, Available: 10}, {ProductID: "p-03", Requested: 12, Available: 10},
			}}},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"an unknown product": {
			[]inventory.Item{{ProductID: "x", Quantity: 1}},
			[]string{place},
			machine.Rejected,
			[]inventory.Announcement{{Fact: machine.StockRejected, OrderID: "o", OrderVersion: 1, Shortages: []inventory.Shortage{
				{ProductID: "x", Requested: 1},
			}}},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"a product twice": {
			append(items(6), items(4)...),
			[]string{place, undo},
			machine.Released,
			[]inventory.Announcement{fact(machine.StockReserved, 1, items(10)), fact(machine.StockReleased, 2, items(10))},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"picked": {
			ordered,
			[]string{place, fulfil, place, fulfil},
			machine.Picked,
			[]inventory.Announcement{fact(machine.StockReserved, 1, ordered), fact(machine.StockPicked, 2, ordered)},
			[]int64{8, 7, 10},
			[]int64{8, 7, 10},
		},
		"released": {
			ordered,
			[]string{place, undo, fulfil, undo, place},
			machine.Released,
			[]inventory.Announcement{fact(machine.StockReserved, 1, ordered), fact(machine.StockReleased, 2, ordered)},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"returned": {
			ordered,
			[]string{place, fulfil, undo, fulfil, undo},
			machine.Returned,
			[]inventory.Announcement{
				fact(machine.StockReserved, 1, ordered), fact(machine.StockPicked, 2, ordered), fact(machine.StockReturned, 3, ordered),
			},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"rejected and undone": {
			items(11),
			[]string{place, undo, undo},
			machine.Released,
			[]inventory.Announcement{
				{Fact: machine.StockRejected, OrderID: "o", OrderVersion: 1, Shortages: []inventory.Shortage{{ProductID: "p-01", Requested: 11, Available: 10}}},
				fact(machine.StockReleased, 2, nil),
			},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
		"a tombstone": {
			ordered,
			[]string{undo, place, fulfil, undo},
			machine.Tombstone,
			[]inventory.Announcement{fact(machine.StockReleased, 1, nil)},
			[]int64{10, 10, 10},
			[]int64{10, 10, 10},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shelf(t)
			for i, what := range tc.messages {
				if err := send(t.Context(), m, what, i+1, tc.items); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			same(t, "state", tc.state, m.Reservation("o").State)
			same(t, "facts", tc.facts, m.Facts())
			for n := range 3 {
				p, err := m.Product(t.Context(), storetest.Product(n+1, 0).ID)
				if err != nil || p.Stock() != tc.stock[n] || p.OnHand != tc.onHand[n] {
					t.Errorf("product %d has stock %d of %d, %v; want %d of %d", n+1, p.Stock(), p.OnHand, err, tc.stock[n], tc.onHand[n])
				}
			}
			if conserved(m) != [2]int64{sum(tc.onHand), sum(tc.onHand) - sum(tc.stock)} {
				t.Errorf("the movements sum to %v", conserved(m))
			}
		})
	}
}

// conserved sums the movements.
func conserved(m *storetest.Memory) (total [2]int64) {
	for _, move := range m.Movements() {
		total[0] += move.OnHand
		total[1] += move.Reserved
	}
	return total
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// A message that the protocol cannot produce is kept: it is no business fact and
// nothing comes of it.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]string{"of an unknown order": nil, "of a rejected order": {place}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := shelf(t)
			for _, what := range before {
				if err := send(t.Context(), m, what, 1, items(11)); err != nil {
					t.Fatal(err)
				}
			}
			facts, state := len(m.Facts()), m.Reservation("o").State
			err := send(t.Context(), m, fulfil, 2, nil)
			var unreachable *machine.UnreachableError
			if !errors.As(err, &unreachable) || !fault.Is(err, fault.Internal) {
				t.Errorf("got %v, want an Internal *UnreachableError", err)
			}
			if len(m.Facts()) != facts || m.Reservation("o").State != state {
				t.Error("it had an effect")
			}
		})
	}
}

// tx is an inventory.Tx made of functions.
type tx struct {
	products func([]string) (map[string]inventory.Product, error)
	save     func(inventory.Change) error
}

func (f tx) Products(_ context.Context, ids []string) (map[string]inventory.Product, error) {
	return f.products(ids)
}

func (f tx) Save(_ context.Context, c inventory.Change) error { return f.save(c) }

// What the store says is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	ok := func([]string) (map[string]inventory.Product, error) { return nil, nil }
	for _, kind := range fault.Kinds() {
		boom := fault.New(kind, "boom")
		fails := map[string]struct {
			transact error
			tx       tx
		}{
			"transaction": {boom, tx{}},
			"products":    {nil, tx{products: func([]string) (map[string]inventory.Product, error) { return nil, boom }}},
			"save":        {nil, tx{products: ok, save: func(inventory.Change) error { return boom }}},
		}
		for what, f := range fails {
			transact := func(ctx context.Context, id string, fn inventory.Act) error {
				if f.transact != nil {
					return f.transact
				}
				return fn(ctx, f.tx, inventory.Reservation{OrderID: id})
			}
			err := inventory.Place(t.Context(), transact, inventory.Placed{OrderID: "o", Items: items(1)})
			if !fault.Is(err, kind) || !errors.Is(err, boom) {
				t.Errorf("%s: got %v, want %s", what, err, kind)
			}
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	item := func(id string, n int64) inventory.Item { return inventory.Item{ProductID: id, Quantity: n} }
	tests := map[string]struct{ in, want []inventory.Item }{
		"nothing":    {nil, []inventory.Item{}},
		"each once":  {[]inventory.Item{item("b", 1), item("a", 2)}, []inventory.Item{item("b", 1), item("a", 2)}},
		"some twice": {[]inventory.Item{item("b", 1), item("a", 2), item("b", 3), item("b", 1)}, []inventory.Item{item("b", 5), item("a", 2)}},
	}
	for name, tc := range tests {
		same(t, name, tc.want, inventory.Merge(tc.in))
	}
}
