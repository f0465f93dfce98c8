package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

// Store is all that a store can do.
type Store interface {
	shipping.Labels
	For(m message.Message) shipping.Transactions
	View(ctx context.Context, orderID string) (shipping.Shipment, error)
}

// Run runs the suite. open returns a new and empty store each time.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	tests := map[string]func(*testing.T, Store){
		"a shipment is read as it was written": readBack,
		"a look ends no message":               lookEndsNothing,
		"a message ends once":                  endsOnce,
		"an error undoes everything":           undone,
		"late labels are asked for again":      printAgain,
		"only what waits is asked for again":   onlyWaiting,
		"what is not there is not found":       notFound,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Message returns a new message.
func Message() message.Message {
	return message.Message{ID: uuid.NewString(), Source: "order", Type: "FulfilOrder", Time: time.Now()}
}

// OrderID returns the id of a new order.
func OrderID() string { return uuid.Must(uuid.NewV7()).String() }

// States are all states in which a row can be.
var States = []machine.State{
	machine.None, machine.Requested, machine.Labelling, machine.Dispatched, machine.Failed, machine.Cancelled,
}

func full(state machine.State) shipping.Shipment {
	return shipping.Shipment{
		OrderID: OrderID(), OrderVersion: 2, State: state, Level: "express", Address: "1 High Street\nTown", TrackingNumber: "trk_1",
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func save(t *testing.T, s Store, c shipping.Change) {
	t.Helper()
	err := s.For(Message()).Once(t.Context(), c.Shipment.OrderID, func(ctx context.Context, tx shipping.Tx, _ shipping.Shipment) error {
		return tx.Save(ctx, c)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// row reads the shipment of an order.
func row(t *testing.T, s Store, orderID string) (found shipping.Shipment) {
	t.Helper()
	err := s.For(Message()).Look(t.Context(), orderID, func(_ context.Context, _ shipping.Tx, now shipping.Shipment) error {
		found = now
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readBack(t *testing.T, s Store) {
	t.Helper()
	id := OrderID()
	same(t, "of an unknown order", shipping.Shipment{OrderID: id}, row(t, s, id))
	want := full(machine.Dispatched)
	save(t, s, shipping.Change{Shipment: want, Fact: machine.ShipmentDispatched})
	same(t, "of the order", want, row(t, s, want.OrderID))
	view, err := s.View(t.Context(), want.OrderID)
	if err != nil {
		t.Error(err)
	}
	same(t, "viewed", want, view)
}

func lookEndsNothing(t *testing.T, s Store) {
	t.Helper()
	m, id, runs := Message(), OrderID(), 0
	count := func(context.Context, shipping.Tx, shipping.Shipment) error { runs++; return nil }
	for range 2 {
		if err := s.For(m).Look(t.Context(), id, count); err != nil {
			t.Error(err)
		}
	}
	if err := s.For(m).Once(t.Context(), id, count); err != nil || runs != 3 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func endsOnce(t *testing.T, s Store) {
	t.Helper()
	byOnce, byDone := Message(), Message()
	other := byOnce
	other.Source = "shipping"
	id, runs := OrderID(), 0
	for range 2 {
		err := s.For(byDone).Look(t.Context(), id, func(ctx context.Context, tx shipping.Tx, _ shipping.Shipment) error { return tx.Done(ctx) })
		if err != nil {
			t.Error(err)
		}
	}
	for _, m := range []message.Message{byDone, byOnce, byOnce, other} {
		err := s.For(m).Once(t.Context(), id, func(context.Context, shipping.Tx, shipping.Shipment) error { runs++; return nil })
		if err != nil {
			t.Error(err)
		}
	}
	same(t, "runs", 2, runs)
}

func undone(t *testing.T, s Store) {
	t.Helper()
	boom, m, want := fault.New(fault.Internal, "boom"), Message(), full(machine.Requested)
	for range 2 { // the second finds nothing of the first
		err := s.For(m).Once(t.Context(), want.OrderID, func(ctx context.Context, tx shipping.Tx, now shipping.Shipment) error {
			same(t, "the row", shipping.Shipment{OrderID: want.OrderID}, now)
			if err := tx.Save(ctx, shipping.Change{Shipment: want, Print: true}); err != nil {
				t.Error(err)
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := s.View(t.Context(), want.OrderID); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
}

// again asks for late labels and reports how many there were.
func again(t *testing.T, s Store, before time.Time, limit int) int {
	t.Helper()
	n, err := s.PrintAgain(t.Context(), before, limit)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func printAgain(t *testing.T, s Store) {
	t.Helper()
	begun := time.Now().Add(-time.Second)
	for range 5 {
		save(t, s, shipping.Change{Shipment: full(machine.Requested), Print: true})
	}
	same(t, "none is late", 0, again(t, s, begun, 10))
	late := time.Now().Add(time.Second)
	same(t, "a batch", 3, again(t, s, late, 3))
	same(t, "what was asked for long ago comes first", 5, again(t, s, late, 10))
	same(t, "nothing is late now", 0, again(t, s, begun, 10))
}

// onlyWaiting: the states in which a label is asked for again are the machine's.
func onlyWaiting(t *testing.T, s Store) {
	t.Helper()
	want := 0
	for _, state := range States {
		shipment := full(machine.Requested)
		save(t, s, shipping.Change{Shipment: shipment, Print: true})
		shipment.State = state
		save(t, s, shipping.Change{Shipment: shipment})
		if machine.PrintAgain(state) {
			want++
		}
	}
	save(t, s, shipping.Change{Shipment: full(machine.Cancelled), Fact: machine.FailedCancelled}) // never asked for
	same(t, "asked for again", want, again(t, s, time.Now().Add(time.Second), 100))
}

func notFound(t *testing.T, s Store) {
	t.Helper()
	if _, err := s.View(t.Context(), OrderID()); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
}
