package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

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

func (m *meter) Checked(order.Checked) {}

func (m *meter) AskedAgain(w machine.Work) { m.asked = append(m.asked, w) }

func (m *meter) Alerted(context.Context, string) { m.alerts++ }

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

func (w *world) sweep(t *testing.T, c order.Clock) int {
	t.Helper()
	n, err := w.Sweep(t.Context(), w.store, c, resume)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
