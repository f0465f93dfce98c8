package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// reactor is a bus.Reactor made of a function.
type reactor func(ctx context.Context, f order.Fact) error

func (r reactor) React(ctx context.Context, f order.Fact) error { return r(ctx, f) }

// golden returns the committed document of a message type as a message.
func golden(tb testing.TB, messageType string) message.Message {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "contract", "testdata", messageType+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var id struct {
		OrderID   string `json:"orderId"`
		ProductID string `json:"productId"`
	}
	if err := json.Unmarshal(data, &id); err != nil {
		tb.Fatal(err)
	}
	return message.Message{
		ID: newID(), Type: messageType, Source: "test", Subject: id.OrderID + id.ProductID, Time: time.Now().UTC(), Data: data,
	}
}

// Each fact reaches the machine as what it is.
func TestFactsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	inv := []machine.Stock{machine.StockReserved, machine.StockRejected, machine.StockPicked, machine.StockReleased, machine.StockReturned}
	pay := []machine.Money{machine.MoneyAuthorized, machine.MoneyDeclined, machine.MoneyCaptured, machine.MoneyVoided, machine.MoneyRefunded}
	cancelled := machine.Order{State: machine.Cancelled, Version: 2}
	check := func(t *testing.T, messageType string, before, want machine.Order) {
		t.Helper()
		var got order.Fact
		m := golden(t, messageType)
		err := bus.Facts(reactor(func(_ context.Context, f order.Fact) error { got = f; return nil }))(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		receipt := order.Receipt{Consumer: "order", ID: m.ID, Source: "test", Type: messageType, Time: m.Time}
		if got.OrderID != m.Subject || got.Receipt != receipt {
			t.Errorf("%s: %+v", messageType, got)
		}
		d, err := got.Decide(before)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, d.Order); diff != "" {
			t.Errorf("%s (-want +got):\n%s", messageType, diff)
		}
	}
	for i, name := range contract.TypesOn(contract.TopicInventory) {
		want := cancelled
		want.Stock = inv[i]
		check(t, name, cancelled, want)
	}
	for i, name := range contract.TypesOn(contract.TopicPayments) {
		want := cancelled
		want.Money = pay[i]
		check(t, name, cancelled, want)
	}
	confirmed := machine.Order{State: machine.Confirmed, Stock: machine.StockReserved, Money: machine.MoneyAuthorized, Version: 2}
	shipped, failed := confirmed, confirmed
	shipped.State, shipped.Parcel, shipped.Version = machine.Shipped, machine.ParcelDispatched, 3
	check(t, "ShipmentDispatchedEvent", confirmed, shipped)
	failed.State, failed.Parcel, failed.Version = machine.Cancelled, machine.ParcelFailed, 3
	failed.Reason = machine.ShippingFailed
	check(t, "ShipmentFailedEvent", confirmed, failed)
}

// No fact that another service can send is unknown here.
func TestEveryFactIsHandled(t *testing.T) {
	t.Parallel()
	handle := bus.Facts(reactor(func(context.Context, order.Fact) error { return nil }))
	for _, topic := range bus.FactTopics() {
		for _, name := range contract.TypesOn(topic) {
			if err := handle(t.Context(), golden(t, name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestGarbageIsInvalid(t *testing.T) {
	t.Parallel()
	good := golden(t, "StockReservedEvent")
	with := func(change func(*message.Message)) message.Message {
		m := good
		change(&m)
		return m
	}
	data := func(s string) message.Message { return with(func(m *message.Message) { m.Data = []byte(s) }) }
	id := good.Subject
	tests := map[string]message.Message{
		"nothing":            data(""),
		"a tombstone":        with(func(m *message.Message) { m.Data = nil }),
		"no JSON":            data("\x00\xff garbage"),
		"cut off":            with(func(m *message.Message) { m.Data = m.Data[:len(m.Data)/2] }),
		"null":               data("null"),
		"an array":           data("[]"),
		"an empty document":  data("{}"),
		"no items":           data(`{"orderId":"` + id + `","orderVersion":1,"items":[]}`),
		"a quantity of zero": data(`{"orderId":"` + id + `","orderVersion":1,"items":[{"productId":"1","quantity":0}]}`),
		"an id that is none": data(`{"orderId":"x","orderVersion":1,"items":[{"productId":"1","quantity":1}]}`),
		"another subject":    with(func(m *message.Message) { m.Subject = newID() }),
		"another type":       with(func(m *message.Message) { m.Type = "PaymentCapturedEvent" }),
		"an unknown type":    with(func(m *message.Message) { m.Type = "StockStolenEvent" }),
		"two documents":      with(func(m *message.Message) { m.Data = append(append([]byte{}, m.Data...), m.Data...) }),
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := bus.Facts(reactor(func(context.Context, order.Fact) error {
				t.Error("it was taken for a fact")
				return nil
			}))(t.Context(), m)
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, want Invalid", err)
			}
		})
	}
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	t.Parallel()
	m := golden(t, "PaymentVoidedEvent")
	var doc map[string]any
	if err := json.Unmarshal(m.Data, &doc); err != nil {
		t.Fatal(err)
	}
	doc["addedLater"] = map[string]any{"deep": []int{1}}
	m.Data, _ = json.Marshal(doc)
	reacted := 0
	err := bus.Facts(reactor(func(context.Context, order.Fact) error { reacted++; return nil }))(t.Context(), m)
	if err != nil || reacted != 1 {
		t.Errorf("reacted %d times, %v", reacted, err)
	}
}

// What the use case says is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		handle := bus.Facts(reactor(func(context.Context, order.Fact) error { return fault.New(kind, "") }))
		if err := handle(t.Context(), golden(t, "StockPickedEvent")); !fault.Is(err, kind) {
			t.Errorf("got %v, want %s", err, kind)
		}
	}
}

func FuzzFacts(f *testing.F) {
	for _, topic := range bus.FactTopics() {
		for _, name := range contract.TypesOn(topic) {
			m := golden(f, name)
			f.Add(name, m.Subject, m.Data)
		}
	}
	f.Add("StockReservedEvent", "x", []byte("{"))
	f.Fuzz(func(t *testing.T, messageType, subject string, data []byte) {
		handle := bus.Facts(reactor(func(_ context.Context, f order.Fact) error {
			if f.OrderID != subject {
				t.Errorf("the fact is about %q, its subject is %q", f.OrderID, subject)
			}
			_, err := f.Decide(machine.Order{State: machine.Placed, Version: 1})
			var unreachable *machine.UnreachableError
			if err != nil && !errors.As(err, &unreachable) {
				t.Errorf("the machine failed: %v", err)
			}
			return nil
		}))
		err := handle(t.Context(), message.Message{ID: "1", Type: messageType, Subject: subject, Data: data})
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want Invalid or nothing", err)
		}
	})
}
