package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
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

// Every change that the machine can make is announced by messages that satisfy the
// contract, in the right order, to the right places.
func TestMessages(t *testing.T) {
	t.Parallel()
	placed, _ := storetest.Place("ada")
	o := placed.Order
	o.Progress.Version = 4
	entry := func(e machine.Event, version int) order.Entry {
		return order.Entry{OrderID: o.ID, Version: version, Event: e, Reason: machine.TimedOut, TrackingNumber: "trk", At: storetest.Start}
	}
	change := func(reason machine.Reason, work machine.Work, entries ...order.Entry) order.Change {
		c := order.Change{Order: o, At: storetest.Start.Add(time.Hour), Entries: entries}
		c.Order.Progress.Reason = reason
		if work != machine.NoWork {
			c.Work = []machine.Work{work}
		}
		return c
	}
	tests := map[string]struct {
		change order.Change
		want   []string
	}{
		"placed": {placed, []string{"kafka:Orders OrderPlacedEvent", "rabbitmq:OrderUpdates OrderUpdated"}},
		"confirmed": {change("", machine.FulfilOrder, entry(machine.EventConfirmed, 4)), []string{
			"kafka:Orders OrderConfirmedEvent", "rabbitmq:OrderExchange/order.confirmed FulfilOrder",
			"rabbitmq:OrderUpdates OrderUpdated",
		}},
		"cancellation requested": {change(machine.TimedOut, machine.CancelShipment, entry(machine.EventCancellationRequested, 4)), []string{
			"kafka:Orders OrderCancellationRequestedEvent", "rabbitmq:OrderExchange/order.cancel-requested CancelShipment",
			"rabbitmq:OrderUpdates OrderUpdated",
		}},
		"cancelled": {change(machine.TimedOut, machine.UndoOrder, entry(machine.EventCancelled, 4)), []string{
			"kafka:Orders OrderCancelledEvent", "rabbitmq:OrderExchange/order.cancelled UndoOrder",
			"rabbitmq:OrderUpdates OrderUpdated",
		}},
		"shipped and settled": {change("", machine.NoWork, entry(machine.EventShipped, 3), entry(machine.EventSettled, 4)), []string{
			"kafka:Orders OrderShippedEvent", "kafka:Orders OrderSettledEvent", "rabbitmq:OrderUpdates OrderUpdated",
		}},
		"asked again":      {change("", machine.FulfilOrder), []string{"rabbitmq:OrderExchange/order.confirmed FulfilOrder"}},
		"only a leg moved": {change("", machine.NoWork), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages, err := bus.Announcer{NewID: newID}.Messages(tc.change)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			ids := map[string]bool{}
			for _, m := range messages {
				got = append(got, m.To.String()+" "+m.Type)
				ids[m.ID] = true
				if m.Key != o.ID || m.Subject != o.ID || m.Source != contract.Order {
					t.Errorf("%s has key %s, subject %s, source %s", m.Type, m.Key, m.Subject, m.Source)
				}
				if err := decodes(m); err != nil {
					t.Errorf("%s breaks its schema: %v", m.Type, err)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if len(ids) != len(messages) {
				t.Error("two messages have one id")
			}
		})
	}
}

// decodes checks a message against its schema.
func decodes(m message.Message) error {
	var err error
	switch m.Type {
	case "OrderPlacedEvent":
		_, err = contract.Decode[contract.OrderPlacedEvent](m)
	case "OrderConfirmedEvent":
		_, err = contract.Decode[contract.OrderConfirmedEvent](m)
	case "OrderCancellationRequestedEvent":
		_, err = contract.Decode[contract.OrderCancellationRequestedEvent](m)
	case "OrderShippedEvent":
		_, err = contract.Decode[contract.OrderShippedEvent](m)
	case "OrderCancelledEvent":
		_, err = contract.Decode[contract.OrderCancelledEvent](m)
	case "OrderSettledEvent":
		_, err = contract.Decode[contract.OrderSettledEvent](m)
	case "FulfilOrder":
		_, err = contract.Decode[contract.FulfilOrder](m)
	case "UndoOrder":
		_, err = contract.Decode[contract.UndoOrder](m)
	case "CancelShipment":
		_, err = contract.Decode[contract.CancelShipment](m)
	case "OrderUpdated":
		_, err = contract.Decode[contract.OrderUpdated](m)
	default:
		err = fmt.Errorf("%s is not the service's to send", m.Type)
	}
	return err
}

func TestPlacedEventAndFulfilOrderSayWhatWasOrdered(t *testing.T) {
	t.Parallel()
	c, _ := storetest.Place("ada")
	c.Work = []machine.Work{machine.FulfilOrder}
	messages, err := bus.Announcer{NewID: newID}.Messages(c)
	if err != nil {
		t.Fatal(err)
	}
	placed, err := contract.Decode[contract.OrderPlacedEvent](messages[0])
	if err != nil {
		t.Fatal(err)
	}
	fulfil, err := contract.Decode[contract.FulfilOrder](messages[1])
	if err != nil {
		t.Fatal(err)
	}
	items := []contract.Item{{ProductID: "123", Quantity: 2}, {ProductID: "7", Quantity: 1}}
	total := contract.Money{AmountMinor: 2501, Currency: "EUR"}
	if diff := cmp.Diff(contract.OrderPlacedEvent{
		OrderID: c.Order.ID, Version: 1, CustomerID: "ada", Items: items, Amount: total, Token: "tok_ok",
		Level: "express", ShipTo: "1 High Street\nTown",
	}, placed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(contract.FulfilOrder{
		OrderID: c.Order.ID, OrderVersion: 1, Items: items, Amount: total, Level: "express", ShipTo: "1 High Street\nTown",
	}, fulfil); diff != "" {
		t.Error(diff)
	}
	if !messages[0].Time.Equal(storetest.Start) || !messages[1].Time.Equal(c.At) {
		t.Error("a message's time is that of its fact")
	}
}

func TestWhatHasNoMessageIsADefect(t *testing.T) {
	t.Parallel()
	c, _ := storetest.Place("ada")
	c.Entries[0].Event = "stolen"
	if _, err := (bus.Announcer{NewID: newID}).Messages(c); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
	c.Entries, c.Work = nil, []machine.Work{machine.NoWork}
	if _, err := (bus.Announcer{NewID: newID}).Messages(c); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	m := &storetest.Memory{}
	handle := bus.Level(m)
	level := func(version, stock int64) message.Message {
		msg, err := contract.NewMessage(contract.StockLevelChangedEvent{
			ProductID: "123", Version: version, Stock: stock, Price: contract.Money{AmountMinor: 5, Currency: "EUR"},
		}, newID(), storetest.Start)
		if err != nil {
			t.Fatal(err)
		}
		msg.Delivery.Partition = 3
		return msg
	}
	for _, msg := range []message.Message{level(2, 20), level(3, 30), level(2, 20)} {
		if err := handle(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.SaveCaughtUp(t.Context(), 3, storetest.Start); err != nil {
		t.Fatal(err)
	}
	got, err := m.Levels(t.Context(), []string{"123"}, storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]order.Level{"123": {Stock: 30, Price: order.Money{AmountMinor: 5, Currency: "EUR"}, Fresh: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, bad := range map[string]message.Message{"another type": golden(t, "StockPickedEvent"), "a tombstone": {Type: "StockLevelChangedEvent"}} {
		if err := handle(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

// saved is a bus.Levels that records what it is given.
type saved struct {
	mu  sync.Mutex
	at  []string
	err error
}

func (s *saved) SaveLevel(context.Context, order.StockLevel) error { return nil }

func (s *saved) SaveCaughtUp(_ context.Context, partition int32, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, fmt.Sprintf("%d at %s", partition, at.Sub(storetest.Start)))
	return s.err
}

func TestFreshnessIsWrittenOnceATick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &saved{err: fault.New(fault.Unavailable, "")} // a failure to write stops nothing
		f := bus.NewFreshness(s, time.Second, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for _, at := range []time.Duration{1, 3, 2} {
			f.CaughtUp("Stock", 7, storetest.Start.Add(at*time.Second))
		}
		<-time.After(1500 * time.Millisecond)
		f.CaughtUp("Stock", 7, storetest.Start.Add(4*time.Second))
		<-time.After(3 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"7 at 3s", "7 at 4s"}, s.at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHint(t *testing.T) {
	t.Parallel()
	var hints order.Hints
	m := golden(t, "OrderUpdated")
	c, end := hints.Watch(m.Subject)
	defer end()
	tell := bus.Hint(&hints)
	tell(t.Context(), m)
	select {
	case <-c:
	default:
		t.Error("no hint")
	}
	m.Data = []byte("garbage")
	tell(t.Context(), m)
	select {
	case <-c:
		t.Error("garbage was taken for a hint")
	default:
	}
}
