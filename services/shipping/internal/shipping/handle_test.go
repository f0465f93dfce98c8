package shipping_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store/storetest"
	"parley.sh/services/shipping/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// world is the use cases over a store in memory and a carrier that a test directs.
type world struct {
	t     *testing.T
	store storetest.Memory
	calls []shipping.Shipment
	// answer is asked for each answer; nil takes every parcel.
	answer func() (shipping.Result, error)
}

// Label implements shipping.Carrier. It sees that the intent is committed, and that
// no transaction is open meanwhile: the store in memory would not answer.
func (w *world) Label(_ context.Context, s shipping.Shipment) (shipping.Result, error) {
	if state := w.store.Shipment(s.OrderID).State; state != machine.Labelling {
		w.t.Errorf("the carrier was called while the shipment is %s", state)
	}
	w.calls = append(w.calls, s)
	if w.answer == nil {
		return labelled()
	}
	return w.answer()
}

func labelled() (shipping.Result, error) {
	return shipping.Result{Answer: machine.Labelled, TrackingNumber: "trk_1"}, nil
}

func refused() (shipping.Result, error) { return shipping.Result{Answer: machine.Refused}, nil }

func unknown() (shipping.Result, error) {
	return shipping.Result{}, fault.New(fault.Unavailable, "no answer in time")
}

// tell brings a message about the order, as version n of it.
func (w *world) tell(what string, n int, m message.Message) error {
	ctx, t := w.t.Context(), w.store.For(m)
	switch what {
	case "print":
		return shipping.Worker{Carrier: w}.Print(ctx, t, orderID)
	case "cancel":
		return shipping.Cancel(ctx, t, orderID, n)
	}
	return shipping.Fulfil(ctx, t, shipping.Request{OrderID: orderID, OrderVersion: n, Level: "express", Address: "1 High Street"})
}

// must brings new messages, each as one version later, and wants all of them done.
func (w *world) must(messages ...string) {
	w.t.Helper()
	for i, what := range messages {
		m := storetest.Message()
		if err := w.tell(what, i+1, m); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
		if !w.store.Ended(m) {
			w.t.Errorf("%s has not ended", what)
		}
	}
}

// said lists what was sent, with the order's version that each names.
func (w *world) said() string {
	var list []string
	for _, s := range w.store.Said() {
		what := string(s.Fact)
		if s.Print {
			what = "PrintLabel"
		}
		list = append(list, fmt.Sprintf("%s@%d", what, s.Shipment.OrderVersion))
	}
	return strings.Join(list, " ")
}

func TestMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		refuses  bool
		messages string
		state    machine.State
		calls    int
		said     string
	}{
		"requested":              {false, "fulfil fulfil", machine.Requested, 0, "PrintLabel@1"},
		"dispatched":             {false, "fulfil print print cancel fulfil", machine.Dispatched, 1, "PrintLabel@1 ShipmentDispatchedEvent@1"},
		"refused":                {true, "fulfil print print cancel fulfil", machine.Failed, 1, "PrintLabel@1 ShipmentFailedEvent{carrier}@1"},
		"cancelled in time":      {false, "fulfil cancel print cancel", machine.Cancelled, 0, "PrintLabel@1 ShipmentFailedEvent{cancelled}@2"},
		"cancelled before it":    {false, "cancel fulfil print", machine.Cancelled, 0, "ShipmentFailedEvent{cancelled}@1"},
		"cancelled, and at once": {false, "cancel cancel", machine.Cancelled, 0, "ShipmentFailedEvent{cancelled}@1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			if tc.refuses {
				w.answer = refused
			}
			w.must(strings.Fields(tc.messages)...)
			same(t, "state", tc.state, w.store.Shipment(orderID).State)
			same(t, "calls", tc.calls, len(w.calls))
			same(t, "said", tc.said, w.said())
		})
	}
}

// The label is for what was asked, and the fact says what the carrier said.
func TestLabelSaysWhatTheRowSays(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.must("fulfil", "print")
	asked := shipping.Shipment{OrderID: orderID, OrderVersion: 1, State: machine.Requested, Level: "express", Address: "1 High Street"}
	same(t, "calls", []shipping.Shipment{asked}, w.calls)
	asked.State, asked.TrackingNumber = machine.Dispatched, "trk_1"
	same(t, "the row", asked, w.store.Shipment(orderID))
	same(t, "the fact", storetest.Said{Shipment: asked, Fact: machine.ShipmentDispatched}, w.store.Said()[1])
}

// An unknown outcome leaves the label open and the message unfinished; its next
// attempt makes the same call under the same id.
func TestUnknownOutcomeIsAskedForByTheSameCall(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		answer func() (shipping.Result, error)
		state  machine.State
	}{"labelled": {labelled, machine.Dispatched}, "refused": {refused, machine.Failed}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, answer: unknown}
			w.must("fulfil")
			m := storetest.Message()
			for range 3 {
				if err := w.tell("print", 1, m); !fault.Is(err, fault.Unavailable) || w.store.Ended(m) {
					t.Errorf("got %v, want Unavailable", err)
				}
				same(t, "state", machine.Labelling, w.store.Shipment(orderID).State)
				same(t, "said", "PrintLabel@1", w.said())
			}
			w.answer = end.answer
			w.must("cancel") // too late: the carrier's outcome is the answer
			if err := w.tell("print", 1, m); err != nil || !w.store.Ended(m) {
				t.Errorf("at last: %v", err)
			}
			same(t, "state", end.state, w.store.Shipment(orderID).State)
			for _, c := range w.calls {
				same(t, "its id", w.calls[0].LabelID(), c.LabelID())
			}
			same(t, "number of calls", 4, len(w.calls))
		})
	}
}

// A worker that stalls between its call and its record writes nothing over what
// others recorded meanwhile: the first answer stands.
func TestStalledWorkerOverwritesNothing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile, late func() (shipping.Result, error)
		state           machine.State
		said            string
	}{
		"the same answer":           {labelled, labelled, machine.Dispatched, "PrintLabel@1 ShipmentDispatchedEvent@1"},
		"a refusal that comes late": {labelled, refused, machine.Dispatched, "PrintLabel@1 ShipmentDispatchedEvent@1"},
		"a label that comes late":   {refused, labelled, machine.Failed, "PrintLabel@1 ShipmentFailedEvent{carrier}@1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			w.must("fulfil")
			w.answer = func() (shipping.Result, error) {
				w.answer = tc.meanwhile
				w.must("print", "cancel")
				return tc.late()
			}
			m := storetest.Message()
			if err := w.tell("print", 1, m); err != nil || !w.store.Ended(m) {
				t.Errorf("the stalled one: %v", err)
			}
			same(t, "state", tc.state, w.store.Shipment(orderID).State)
			same(t, "said", tc.said, w.said())
		})
	}
}

// A PrintLabel of an order that shipping has not heard of is kept: nothing is called.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	w, m := &world{t: t}, storetest.Message()
	err := w.tell("print", 1, m)
	var unreachable *machine.UnreachableError
	if !errors.As(err, &unreachable) || !fault.Is(err, fault.Internal) || w.store.Ended(m) || len(w.calls) != 0 {
		t.Errorf("got %v, want an Internal *UnreachableError", err)
	}
}

// failing are transactions that fail.
type failing struct{ look, once error }

func (f failing) Look(ctx context.Context, _ string, fn shipping.Act) error {
	if f.look != nil {
		return f.look
	}
	return fn(ctx, nil, shipping.Shipment{OrderID: orderID, State: machine.Labelling})
}

func (f failing) Once(ctx context.Context, _ string, fn shipping.Act) error {
	if f.once != nil {
		return f.once
	}
	return fn(ctx, nil, shipping.Shipment{OrderID: orderID, State: machine.Dispatched})
}

// answers is a shipping.Carrier made of an error.
type answers struct{ err error }

func (a answers) Label(context.Context, shipping.Shipment) (shipping.Result, error) {
	return shipping.Result{Answer: machine.Labelled}, a.err
}

// What store and carrier say is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		boom, ctx := fault.New(kind, "boom"), t.Context()
		for what, err := range map[string]error{
			"fulfil":                 shipping.Fulfil(ctx, failing{once: boom}, shipping.Request{OrderID: orderID}),
			"cancel":                 shipping.Cancel(ctx, failing{once: boom}, orderID, 1),
			"the first transaction":  shipping.Worker{Carrier: answers{}}.Print(ctx, failing{look: boom}, orderID),
			"the carrier":            shipping.Worker{Carrier: answers{boom}}.Print(ctx, failing{}, orderID),
			"the second transaction": shipping.Worker{Carrier: answers{}}.Print(ctx, failing{once: boom}, orderID),
		} {
			if !fault.Is(err, kind) {
				t.Errorf("%s: got %v, want %s", what, err, kind)
			}
		}
	}
}

// The id of a label is what the carrier knows it by: it never changes, not from one
// version of this service to the next.
func TestLabelID(t *testing.T) {
	t.Parallel()
	first := shipping.Shipment{OrderID: orderID}
	later := shipping.Shipment{OrderID: orderID, OrderVersion: 9, State: machine.Labelling, Level: "express", Address: "x"}
	same(t, "id", "13981c29-fd28-5ee5-bd0e-24dde788b240", first.LabelID())
	same(t, "later", first.LabelID(), later.LabelID())
}
