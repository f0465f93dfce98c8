package order_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	o := w.place(t)
	want := order.Order{
		ID: "order-01", CustomerID: "ada", Progress: machine.Order{State: machine.Placed, Version: 1},
		Items:  []order.Item{{ProductID: "123", Quantity: 2, UnitPrice: euro(10)}, {ProductID: "7", Quantity: 1, UnitPrice: euro(10)}},
		Amount: euro(30), Level: order.Express, Trace: "trace", PlacedAt: start, UpdatedAt: start,
		DeadlineAt: start.Add(timing.Deadline),
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, w.get(t, o.ID)); diff != "" {
		t.Error(diff)
	}
	made := w.store.Announced()
	if len(made) != 1 || made[0].Token != "tok_ok" || len(made[0].Entries) != 1 || len(made[0].Work) != 0 {
		t.Errorf("announced %+v", made)
	}
}

func TestPlaceUnderAUsedKey(t *testing.T) {
	t.Parallel()
	live := inStock(50)
	w := newWorld(stockFunc(func(ctx context.Context, id string) (order.Level, error) { return live(ctx, id) }), nil)
	first := w.place(t)
	live = down // the key is looked up before the stock: nobody is asked again
	again := good()
	again.Key = "key-0"
	o, err := w.Place(t.Context(), again)
	if err != nil || o.ID != first.ID {
		t.Errorf("got %v, %v; want the first order", o.ID, err)
	}
	other := again
	other.Items = other.Items[:1]
	if _, err := w.Place(t.Context(), other); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("got %v, want ErrKeyReused", err)
	}
	bob := again
	bob.CustomerID = "bob"
	if _, err := w.Place(t.Context(), bob); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable: the key of another customer is another key", err)
	}
}

func TestRefusalsAreNotRemembered(t *testing.T) {
	t.Parallel()
	live := inStock(1)
	w := newWorld(stockFunc(func(ctx context.Context, id string) (order.Level, error) { return live(ctx, id) }), nil)
	r := good()
	if _, err := w.Place(t.Context(), r); !fault.Is(err, fault.Conflict) {
		t.Fatalf("got %v, want Conflict", err)
	}
	live = inStock(50)
	r.Items[0].Quantity = 3 // and another body is welcome: the key is free
	if _, err := w.Place(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// racing lets another request win just before or after a point of the first one's way.
type racing struct {
	order.Store

	beforeCreate func()
}

func (r *racing) Create(ctx context.Context, c order.Change, k order.Key) error {
	if f := r.beforeCreate; f != nil {
		r.beforeCreate = nil
		f()
	}
	return r.Store.Create(ctx, c, k)
}

func TestLoserOfARaceAnswersTheWinnersOrder(t *testing.T) {
	t.Parallel()
	var race *racing
	w := newWorld(inStock(50), func(s order.Store) order.Store { race = &racing{Store: s}; return race })
	var winner order.Order
	race.beforeCreate = func() { winner, _ = w.Place(t.Context(), good()) }
	loser, err := w.Place(t.Context(), good())
	if err != nil || loser.ID != winner.ID || winner.ID == "" {
		t.Errorf("loser %q, winner %q, %v", loser.ID, winner.ID, err)
	}
	if n := len(w.store.Announced()); n != 1 {
		t.Errorf("%d orders were announced", n)
	}
	race.beforeCreate = func() { _, _ = w.Place(t.Context(), keyed(good(), "k2")) }
	other := keyed(good(), "k2")
	other.Level = order.Standard
	if _, err := w.Place(t.Context(), other); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("got %v, want ErrKeyReused: the winner asked for something else", err)
	}
}

func keyed(r order.Request, key string) order.Request {
	r.Key = key
	return r
}

// The winner's order takes the last piece before the loser's stock is checked.
func TestLoserThatFindsNoStockAnswersTheWinnersOrder(t *testing.T) {
	t.Parallel()
	one := good()
	one.Items = one.Items[:1]
	var w *world
	var winner order.Order
	calls := 0 // one item, one question at a time: nothing here runs side by side
	w = newWorld(stockFunc(func(ctx context.Context, _ string) (order.Level, error) {
		calls++
		switch calls {
		case 1: // the loser's question, which the winner overtakes
			winner, _ = w.Place(ctx, one)
			return order.Level{Stock: 0, Price: euro(10)}, nil
		case 2:
			return order.Level{Stock: 50, Price: euro(10)}, nil
		}
		return order.Level{}, errors.New("nobody should ask again")
	}), nil)
	loser, err := w.Place(t.Context(), one)
	if err != nil || loser.ID != winner.ID || winner.ID == "" {
		t.Errorf("loser %q, winner %q, %v", loser.ID, winner.ID, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	tests := map[string]struct {
		facts []any
		times int
		state machine.State
		err   error
		story []string
	}{
		"placed":       {nil, 1, machine.Cancelled, nil, []string{"1 placed", "2 cancelled customer_request"}},
		"placed twice": {nil, 2, machine.Cancelled, nil, []string{"1 placed", "2 cancelled customer_request"}},
		"confirmed": {confirmed, 1, machine.Cancelling, nil, []string{
			"1 placed", "2 confirmed", "3 cancellation_requested customer_request",
		}},
		"confirmed twice": {confirmed, 2, machine.Cancelling, nil, []string{
			"1 placed", "2 confirmed", "3 cancellation_requested customer_request",
		}},
		"shipped": {append(confirmed, "trk-1"), 1, machine.Shipped, order.ErrShipped, []string{
			"1 placed", "2 confirmed", "3 shipped trk-1",
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			for range tc.times {
				o, err := w.Cancel(t.Context(), id)
				if !errors.Is(err, tc.err) || (err == nil && o.Progress.State != tc.state) {
					t.Errorf("got %s, %v", o.Progress.State, err)
				}
			}
			if got := w.get(t, id).Progress.State; got != tc.state {
				t.Errorf("the order is %s, want %s", got, tc.state)
			}
			if diff := cmp.Diff(tc.story, w.story(t, id)); diff != "" {
				t.Error(diff)
			}
		})
	}
	w := newWorld(inStock(50), nil)
	if _, err := w.Cancel(t.Context(), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
}

// The five legal timelines, each to its end.
func TestStories(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	tests := map[string]struct {
		facts []any
		story []string
	}{
		"shipped": {append(confirmed, machine.StockPicked, "trk", machine.MoneyCaptured), []string{
			"1 placed", "2 confirmed", "3 shipped trk", "4 settled",
		}},
		"dispatched last settles at once": {append(confirmed, machine.StockPicked, machine.MoneyCaptured, "trk"), []string{
			"1 placed", "2 confirmed", "3 shipped trk", "4 settled",
		}},
		"out of stock": {[]any{machine.StockRejected, machine.MoneyAuthorized, machine.StockReleased, machine.MoneyVoided}, []string{
			"1 placed", "2 cancelled out_of_stock", "3 settled",
		}},
		"declined": {[]any{machine.MoneyDeclined, machine.MoneyVoided, machine.StockReserved, machine.StockReleased}, []string{
			"1 placed", "2 cancelled payment_declined", "3 settled",
		}},
		"the carrier refused": {append(confirmed, machine.StockPicked, machine.MoneyCaptured, machine.FailedCarrier,
			machine.StockReturned, machine.MoneyRefunded), []string{
			"1 placed", "2 confirmed", "3 cancelled shipping_failed", "4 settled",
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			w.tell(t, id, tc.facts...) // again, under new ids: nothing rises any more
			if diff := cmp.Diff(tc.story, w.story(t, id)); diff != "" {
				t.Error(diff)
			}
			o := w.get(t, id)
			if !o.Progress.Settled || !o.AskAt.IsZero() || !o.DeadlineAt.IsZero() {
				t.Errorf("settled %v, ask at %v, deadline at %v", o.Progress.Settled, o.AskAt, o.DeadlineAt)
			}
		})
	}
}

func TestFactsThatCannotBeAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	id := w.place(t).ID
	tests := map[string]order.Fact{
		"an unknown order":           w.fact("none", machine.StockReserved),
		"a parcel of a placed order": w.fact(id, "trk"),
		"a capture before its time":  w.fact(id, machine.MoneyCaptured),
	}
	for name, f := range tests {
		if err := w.React(t.Context(), f); !fault.Is(err, fault.Internal) || err == nil {
			t.Errorf("%s: got %v, want Internal", name, err)
		}
	}
	if diff := cmp.Diff([]string{"1 placed"}, w.story(t, id)); diff != "" {
		t.Error(diff)
	}
}
