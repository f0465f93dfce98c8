package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// Store is all that a store can do.
type Store interface {
	order.Store
	order.Agenda
	order.Reader
	order.Model
	SaveLevels(ctx context.Context, levels []order.StockLevel) error
	SaveCaughtUp(ctx context.Context, partition int32, at time.Time) error
	PurgeKeys(ctx context.Context, before time.Time) (int64, error)
	Unsettled(ctx context.Context) (map[string]int, time.Time, error)
}

// Run runs the suite. open returns a new and empty store each time.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	tests := map[string]func(*testing.T, Store){
		"an order is read as it was written":          readBack,
		"a key is taken once":                         keyTaken,
		"what is not there is not found":              notFound,
		"a message is decided once":                   decidedOnce,
		"an error of the decision writes nothing":     errorWritesNothing,
		"a decision without effect writes nothing":    noEffect,
		"a change of every field is read back":        everyField,
		"lists are filtered, newest first, by page":   lists,
		"timelines are read from a version":           timelines,
		"changes of all orders are read from a place": allChanges,
		"clocks are found when due":                   clocks,
		"a clock that moved on is left alone":         movedOn,
		"levels keep the newest version":              levels,
		"freshness is by partition":                   freshness,
		"old keys are purged":                         purged,
		"unsettled orders are counted":                unsettled,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Start is the time at which the suite's orders are placed.
var Start = time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)

// Place returns the change that places an order of a customer, and its key.
func Place(customer string) (order.Change, order.Key) {
	o := order.Order{
		ID: uuid.Must(uuid.NewV7()).String(), CustomerID: customer,
		Progress: machine.New().Order,
		Items: []order.Item{
			{ProductID: "123", Quantity: 2, UnitPrice: order.Money{AmountMinor: 1250, Currency: "EUR"}},
			{ProductID: "7", Quantity: 1, UnitPrice: order.Money{AmountMinor: 1, Currency: "EUR"}},
		},
		Amount: order.Money{AmountMinor: 2501, Currency: "EUR"}, Level: order.Express, Address: "1 High Street\nTown",
		Trace:    "00-66f9d3b00e6766119473aa792262dff0-6e4b593d188e680f-01",
		PlacedAt: Start, UpdatedAt: Start, DeadlineAt: Start.Add(15 * time.Minute),
	}
	entry := order.Entry{OrderID: o.ID, Version: 1, Event: machine.EventPlaced, At: Start}
	c := order.Change{Order: o, At: Start, Entries: []order.Entry{entry}, Token: "tok_ok"}
	return c, order.Key{CustomerID: customer, Key: o.ID, Fingerprint: [32]byte{1, 2, 31: 3}, OrderID: o.ID, At: Start}
}

// Placed writes an order of a customer and returns it.
func Placed(t *testing.T, s order.Store, customer string) order.Order {
	t.Helper()
	c, k := Place(customer)
	if err := s.Create(t.Context(), c, k); err != nil {
		t.Fatal(err)
	}
	return c.Order
}

// confirm is a change of state with work.
func confirm(o order.Order) order.Change {
	o.Progress.State, o.Progress.Version = machine.Confirmed, o.Progress.Version+1
	o.Progress.Stock, o.Progress.Money = machine.StockReserved, machine.MoneyAuthorized
	o.UpdatedAt, o.AskAt = Start.Add(time.Second), Start.Add(2*time.Minute)
	e := order.Entry{OrderID: o.ID, Version: o.Progress.Version, Event: machine.EventConfirmed, At: o.UpdatedAt}
	return order.Change{Order: o, At: o.UpdatedAt, Entries: []order.Entry{e}, Work: []machine.Work{machine.FulfilOrder}}
}

func to(c order.Change) order.Decide {
	return func(order.Order) (order.Change, error) { return c, nil }
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func readBack(t *testing.T, s Store) {
	t.Helper()
	c, k := Place("ada")
	if err := s.Create(t.Context(), c, k); err != nil {
		t.Fatal(err)
	}
	equal(t, "order", c.Order, must[order.Order](t)(s.Order(t.Context(), c.Order.ID)))
	equal(t, "key", k, must[order.Key](t)(s.Key(t.Context(), k.CustomerID, k.Key)))
	equal(t, "timeline", c.Entries, must[[]order.Entry](t)(s.Timeline(t.Context(), c.Order.ID, 0)))
}

func keyTaken(t *testing.T, s Store) {
	t.Helper()
	c, k := Place("ada")
	other, _ := Place("ada")
	if err := s.Create(t.Context(), c, k); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), other, k); !errors.Is(err, order.ErrKeyTaken) {
		t.Errorf("got %v, want ErrKeyTaken", err)
	}
	if _, err := s.Order(t.Context(), other.Order.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound: the loser's order was written", err)
	}
	k.CustomerID, k.OrderID = "bob", other.Order.ID
	if err := s.Create(t.Context(), other, k); err != nil {
		t.Errorf("the same key of another customer: %v", err)
	}
}

func notFound(t *testing.T, s Store) {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	_, orderErr := s.Order(t.Context(), id)
	_, keyErr := s.Key(t.Context(), "ada", "none")
	_, updateErr := s.Update(t.Context(), id, nil, to(order.Change{}))
	for what, err := range map[string]error{"order": orderErr, "key": keyErr, "update": updateErr} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: got %v, want NotFound", what, err)
		}
	}
}

func decidedOnce(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	r := &order.Receipt{Consumer: "order", ID: "m1", Source: "inventory", Type: "T", Time: time.Now().UTC()}
	decided := 0
	for range 3 {
		after := must[order.Order](t)(s.Update(t.Context(), o.ID, r, func(o order.Order) (order.Change, error) {
			decided++
			return confirm(o), nil
		}))
		equal(t, "order after", confirm(o).Order, after)
	}
	if decided != 1 {
		t.Errorf("decided %d times, want once", decided)
	}
}

func errorWritesNothing(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	r := &order.Receipt{Consumer: "order", ID: "m1", Source: "inventory", Type: "T", Time: time.Now().UTC()}
	boom := fault.New(fault.Internal, "boom")
	_, err := s.Update(t.Context(), o.ID, r, func(o order.Order) (order.Change, error) { return confirm(o), boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want the decision's error", err)
	}
	equal(t, "order", o, must[order.Order](t)(s.Order(t.Context(), o.ID)))
	after := must[order.Order](t)(s.Update(t.Context(), o.ID, r, to(confirm(o))))
	equal(t, "the message was not used up", machine.Confirmed, after.Progress.State)
}

func noEffect(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	after := must[order.Order](t)(s.Update(t.Context(), o.ID, nil, func(o order.Order) (order.Change, error) {
		o.UpdatedAt = Start.Add(time.Hour)
		return order.Change{Order: o, At: o.UpdatedAt}, nil
	}))
	equal(t, "order after", o, after)
	equal(t, "order", o, must[order.Order](t)(s.Order(t.Context(), o.ID)))
}

func everyField(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	want := o
	want.Progress = machine.Order{
		State: machine.Cancelled, Reason: machine.ShippingFailed, Stock: machine.StockReturned, Money: machine.MoneyRefunded,
		Parcel: machine.ParcelFailed, Settled: true, Version: 3,
	}
	want.TrackingNumber, want.UpdatedAt, want.DeadlineAt = "trk", Start.Add(time.Minute), time.Time{}
	want.AskAt, want.Asked = Start.Add(2*time.Minute), 3
	entries := []order.Entry{
		{OrderID: o.ID, Version: 2, Event: machine.EventCancelled, Reason: machine.ShippingFailed, At: want.UpdatedAt},
		{OrderID: o.ID, Version: 3, Event: machine.EventSettled, TrackingNumber: "trk", At: want.UpdatedAt},
	}
	must[order.Order](t)(s.Update(t.Context(), o.ID, nil, to(order.Change{Order: want, At: want.UpdatedAt, Entries: entries})))
	equal(t, "order", want, must[order.Order](t)(s.Order(t.Context(), o.ID)))
	equal(t, "timeline", entries, must[[]order.Entry](t)(s.Timeline(t.Context(), o.ID, 1)))
}

func lists(t *testing.T, s Store) {
	t.Helper()
	var ada []string
	for range 5 {
		ada = append(ada, Placed(t, s, "ada").ID)
		Placed(t, s, "bob")
	}
	slices.Reverse(ada)
	must[order.Order](t)(s.Update(t.Context(), ada[1], nil, func(o order.Order) (order.Change, error) { return confirm(o), nil }))
	ids := func(f order.Filter) []string {
		var got []string
		for _, o := range must[[]order.Order](t)(s.Orders(t.Context(), f)) {
			got = append(got, o.ID)
		}
		return got
	}
	equal(t, "first page", ada[:2], ids(order.Filter{CustomerID: "ada", Limit: 2}))
	equal(t, "second page", ada[2:4], ids(order.Filter{CustomerID: "ada", Limit: 2, Before: ada[1]}))
	equal(t, "last page", ada[4:], ids(order.Filter{CustomerID: "ada", Limit: 2, Before: ada[3]}))
	equal(t, "by state", ada[1:2], ids(order.Filter{State: machine.Confirmed, Limit: 9}))
	equal(t, "both", []string{ada[0], ada[2]}, ids(order.Filter{CustomerID: "ada", State: machine.Placed, Limit: 2}))
	equal(t, "all", 10, len(ids(order.Filter{Limit: 100})))
}

func timelines(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	c := confirm(o)
	must[order.Order](t)(s.Update(t.Context(), o.ID, nil, to(c)))
	equal(t, "after 1", c.Entries, must[[]order.Entry](t)(s.Timeline(t.Context(), o.ID, 1)))
	equal(t, "after 2", 0, len(must[[]order.Entry](t)(s.Timeline(t.Context(), o.ID, 2))))
}

func allChanges(t *testing.T, s Store) {
	t.Helper()
	before := must[order.Position](t)(s.Now(t.Context()))
	var want []string
	for range 7 {
		want = append(want, Placed(t, s, "ada").ID)
	}
	var got []string
	for after := before; len(got) < len(want); {
		page := poll(t, s, after, 3)
		for _, p := range page {
			got, after = append(got, p.OrderID), p.Position
		}
	}
	equal(t, "order ids", want, got)
	if _, err := s.Changes(t.Context(), "nonsense", 1); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want Invalid for what is no position", err)
	}
}

// poll reads until there is something: other tests' transactions on the same server
// delay a real store.
func poll(t *testing.T, s Store, after order.Position, limit int) []order.Placement {
	t.Helper()
	for {
		page := must[[]order.Placement](t)(s.Changes(t.Context(), after, limit))
		if len(page) > 0 {
			return page
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no changes came")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func clocks(t *testing.T, s Store) {
	t.Helper()
	o, deadline := Placed(t, s, "ada"), Start.Add(15*time.Minute)
	find := func(c order.Clock, at time.Time) []order.Due {
		return must[[]order.Due](t)(s.Due(t.Context(), c, at, 10))
	}
	equal(t, "too early", 0, len(find(order.ClockDeadline, deadline.Add(-time.Microsecond))))
	equal(t, "due", []order.Due{{ID: o.ID, Trace: o.Trace}}, find(order.ClockDeadline, deadline))
	equal(t, "nobody is to be asked", 0, len(find(order.ClockAsk, deadline)))
	done := must[bool](t)(s.UpdateDue(t.Context(), o.ID, order.ClockDeadline, deadline, func(o order.Order) (order.Change, error) {
		c := confirm(o)
		c.Order.DeadlineAt = time.Time{}
		return c, nil
	}))
	equal(t, "done", true, done)
	equal(t, "no deadline", 0, len(find(order.ClockDeadline, deadline)))
	equal(t, "to be asked", 1, len(find(order.ClockAsk, deadline)))
}

func movedOn(t *testing.T, s Store) {
	t.Helper()
	o := Placed(t, s, "ada")
	for name, id := range map[string]string{"not due": o.ID, "not there": uuid.Must(uuid.NewV7()).String()} {
		done := must[bool](t)(s.UpdateDue(t.Context(), id, order.ClockDeadline, Start, func(order.Order) (order.Change, error) {
			t.Error(name + ": was decided")
			return order.Change{}, nil
		}))
		equal(t, name, false, done)
	}
}
