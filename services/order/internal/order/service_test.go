package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
	"parley.sh/services/order/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func public(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return ""
	}
	return f.Public
}

// meter records what it is told.
type meter struct {
	asked  []machine.Work
	alerts int
}

func (m *meter) Checked(order.Checked)     {}
func (m *meter) AskedAgain(w machine.Work) { m.asked = append(m.asked, w) }
func (m *meter) Alerted()                  { m.alerts++ }

// world is a service over a store in memory, with a clock that stands still.
type world struct {
	*order.Service

	store *storetest.Memory
	meter *meter
	mu    sync.Mutex
	now   time.Time
	ids   int
}

var timing = order.Timing{Deadline: 15 * time.Minute, AskAfter: 2 * time.Minute, AskCap: 10 * time.Minute}

func newWorld(live order.Stock, wrap func(order.Store) order.Store) *world {
	w := &world{store: &storetest.Memory{}, meter: &meter{}, now: start}
	var s order.Store = w.store
	if wrap != nil {
		s = wrap(s)
	}
	a := &order.Availability{
		Live: live, Model: w.store, Fallback: order.Refuse, Parallel: 2, Now: w.clock, Used: w.meter.Checked,
	}
	w.Service = order.NewService(order.Settings{
		Store: s, Availability: a, Meter: w.meter, Timing: timing, Now: w.clock, NewID: w.id,
		Trace: func(context.Context) string { return "trace" },
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) id() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("order-%02d", w.ids)
}

func (w *world) place(t *testing.T) order.Order {
	t.Helper()
	r := good()
	w.mu.Lock()
	r.Key = fmt.Sprintf("key-%d", w.ids)
	w.mu.Unlock()
	o, err := w.Place(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// tell brings facts about an order, each under a message id of its own.
func (w *world) tell(t *testing.T, id string, facts ...any) {
	t.Helper()
	for _, fact := range facts {
		if err := w.React(t.Context(), w.fact(id, fact)); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) fact(id string, fact any) order.Fact {
	f := order.Fact{OrderID: id, Receipt: order.Receipt{Consumer: "order", ID: w.id(), Source: "test", Time: w.clock()}}
	switch leg := fact.(type) {
	case machine.Stock:
		f.Decide = func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, leg) }
	case machine.Money:
		f.Decide = func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, leg) }
	case machine.Failure:
		f.Decide = func(o machine.Order) (machine.Decision, error) { return machine.OnShipmentFailed(o, leg) }
	case string:
		f.Decide, f.TrackingNumber = machine.OnDispatched, leg
	}
	return f
}

func (w *world) get(t *testing.T, id string) order.Order {
	t.Helper()
	o, err := w.store.Order(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// story returns the versions and events of an order.
func (w *world) story(t *testing.T, id string) []string {
	t.Helper()
	entries, err := w.store.Timeline(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for _, e := range entries {
		line := fmt.Sprintf("%d %s", e.Version, e.Event)
		if e.Reason != "" {
			line += " " + string(e.Reason)
		}
		if e.TrackingNumber != "" {
			line += " " + e.TrackingNumber
		}
		story = append(story, line)
	}
	return story
}

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

func resume(ctx context.Context, _, _ string) (context.Context, func()) { return ctx, func() {} }

func (w *world) sweep(t *testing.T, c order.Clock) int {
	t.Helper()
	n, err := w.Sweep(t.Context(), w.store, c, resume)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	tests := map[string]struct {
		facts  []any
		state  machine.State
		story  []string
		alerts int // after a second deadline
	}{
		"placed": {nil, machine.Cancelled, []string{"1 placed", "2 cancelled timed_out"}, 0},
		"confirmed": {confirmed, machine.Cancelling, []string{
			"1 placed", "2 confirmed", "3 cancellation_requested timed_out",
		}, 1},
		"shipped": {append(confirmed, "trk"), machine.Shipped, []string{"1 placed", "2 confirmed", "3 shipped trk"}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			w.pass(timing.Deadline - time.Microsecond)
			if n := w.sweep(t, order.ClockDeadline); n != 0 {
				t.Errorf("%d orders were swept too early", n)
			}
			w.pass(time.Microsecond)
			w.sweep(t, order.ClockDeadline)
			w.sweep(t, order.ClockDeadline)
			if got := w.get(t, id).Progress.State; got != tc.state {
				t.Errorf("the order is %s, want %s", got, tc.state)
			}
			w.pass(timing.Deadline)
			w.sweep(t, order.ClockDeadline)
			if diff := cmp.Diff(tc.story, w.story(t, id)); diff != "" {
				t.Error(diff)
			}
			if w.meter.alerts != tc.alerts {
				t.Errorf("%d alerts, want %d", w.meter.alerts, tc.alerts)
			}
		})
	}
}

// A cancelling order is not forced at its deadline: shipping is asked again.
func TestDeadlineOfACancellingOrderAsksShippingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	id := w.place(t).ID
	w.tell(t, id, machine.StockReserved, machine.MoneyAuthorized)
	if _, err := w.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.pass(timing.Deadline)
	for range 3 {
		w.sweep(t, order.ClockDeadline)
	}
	made := w.store.Announced()
	last := made[len(made)-1]
	if !last.Alert || len(last.Entries) != 0 || !cmp.Equal(last.Work, []machine.Work{machine.CancelShipment}) {
		t.Errorf("the deadline made %+v", last)
	}
	if o := w.get(t, id); o.Progress.State != machine.Cancelling || o.Progress.Reason != machine.CustomerRequest || w.meter.alerts != 1 {
		t.Errorf("the order is %+v, %d alerts", o.Progress, w.meter.alerts)
	}
}

func TestAskAgain(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	fulfil := []machine.Work{machine.FulfilOrder}
	tests := map[string]struct {
		facts  []any
		cancel bool
		want   []machine.Work // at each time
	}{
		"placed: nobody owes an answer to work": {nil, false, nil},
		"confirmed":                             {confirmed, false, fulfil},
		"cancelling":                            {confirmed, true, []machine.Work{machine.FulfilOrder, machine.CancelShipment}},
		"shipped":                               {append(confirmed, "trk"), false, fulfil},
		"cancelled":                             {nil, true, []machine.Work{machine.UndoOrder}},
		"settled":                               {append(confirmed, "trk", machine.StockPicked, machine.MoneyCaptured), false, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			if tc.cancel {
				if _, err := w.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			version := w.get(t, id).Progress.Version
			// 2, 4, 8 minutes and then 10 for ever.
			for i, pause := range []time.Duration{2, 4, 8, 10, 10} {
				w.pass(pause*time.Minute - time.Second)
				early := w.sweep(t, order.ClockAsk)
				w.pass(time.Second)
				due := w.sweep(t, order.ClockAsk)
				if early != 0 || due != min(len(tc.want), 1) {
					t.Errorf("time %d: %d early, %d when due", i, early, due)
				}
			}
			var want []machine.Work
			for range 5 {
				want = append(want, tc.want...)
			}
			if diff := cmp.Diff(want, w.meter.asked); diff != "" {
				t.Error(diff)
			}
			if got := w.get(t, id).Progress.Version; got != version {
				t.Errorf("asking again made version %d of %d", got, version)
			}
		})
	}
}

// A change of state begins the asking anew; a mere fact does not.
func TestAskingBeginsAnewWithTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	id := w.place(t).ID
	w.tell(t, id, machine.StockReserved, machine.MoneyAuthorized)
	w.pass(2 * time.Minute)
	w.sweep(t, order.ClockAsk)
	w.pass(time.Minute)
	w.tell(t, id, machine.StockPicked)
	if o := w.get(t, id); !o.AskAt.Equal(start.Add(6*time.Minute)) || o.Asked != 1 {
		t.Errorf("after a fact: ask at %v, asked %d", o.AskAt, o.Asked)
	}
	w.tell(t, id, "trk")
	if o := w.get(t, id); !o.AskAt.Equal(start.Add(5*time.Minute)) || o.Asked != 0 {
		t.Errorf("after a change of state: ask at %v, asked %d", o.AskAt, o.Asked)
	}
}

// failing fails for one order.
type failing struct {
	order.Agenda

	id string
}

func (f failing) UpdateDue(ctx context.Context, id string, c order.Clock, now time.Time, d order.Decide) (bool, error) {
	if id == f.id {
		return false, fault.New(fault.Unavailable, "")
	}
	return f.Agenda.UpdateDue(ctx, id, c, now, d)
}

func TestOneFailingOrderHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	first, second := w.place(t).ID, w.place(t).ID
	w.pass(timing.Deadline)
	n, err := w.Sweep(t.Context(), failing{w.store, first}, order.ClockDeadline, resume)
	if n != 1 || !fault.Is(err, fault.Unavailable) {
		t.Errorf("swept %d, %v", n, err)
	}
	if got := w.get(t, second).Progress.State; got != machine.Cancelled {
		t.Errorf("the other order is %s", got)
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	var h order.Hints
	one, endOne := h.Watch("a")
	other, endOther := h.Watch("b")
	all, endAll := h.Watch("")
	hinted := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	h.Notify("a")
	h.Notify("a") // a second hint adds nothing to the first
	if !hinted(one) || hinted(one) || hinted(other) || !hinted(all) || hinted(all) {
		t.Error("a hint about one order goes to its watchers and to those of all, once")
	}
	h.NotifyAll()
	if !hinted(one) || !hinted(other) || !hinted(all) {
		t.Error("NotifyAll did not reach everybody")
	}
	if n := h.Watchers(); n != 3 {
		t.Errorf("%d watchers, want 3", n)
	}
	endOne()
	endOther()
	endAll()
	h.Notify("a")
	if n := h.Watchers(); n != 0 || hinted(one) || hinted(all) {
		t.Errorf("%d watchers remain", n)
	}
}
