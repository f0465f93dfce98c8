package bus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/shipping/internal/bus"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store/storetest"
	"parley.sh/services/shipping/machine"
)

// golden returns the committed document of a message type as a message.
func golden(tb testing.TB, messageType string) message.Message {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "contract", "testdata", messageType+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	var id struct {
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal(data, &id); err != nil {
		tb.Fatal(err)
	}
	return message.Message{
		ID: uuid.NewString(), Type: messageType, Source: "order", Subject: id.OrderID, Time: time.Now().UTC(), Data: data,
	}
}

// carrier takes every parcel.
type carrier struct{}

func (carrier) Label(context.Context, shipping.Shipment) (shipping.Result, error) {
	return shipping.Result{Answer: machine.Labelled, TrackingNumber: "trk_1"}, nil
}

// Each message reaches its use case with what it says.
func TestMessagesReachTheirUseCases(t *testing.T) {
	t.Parallel()
	m := &storetest.Memory{}
	commands, printing := bus.Commands(m.For), bus.Labels(shipping.Worker{Carrier: carrier{}}, m.For)
	fulfil := golden(t, "FulfilOrder")
	want := shipping.Shipment{
		OrderID: fulfil.Subject, OrderVersion: 2, State: machine.Requested, Level: "express", Address: "1 Harbour Street",
	}
	dispatched := want
	dispatched.State, dispatched.TrackingNumber = machine.Dispatched, "trk_1"
	for _, step := range []struct {
		handle message.Handler
		m      message.Message
		want   shipping.Shipment
	}{
		{commands, fulfil, want},
		{commands, fulfil, want},
		{printing, golden(t, "PrintLabel"), dispatched},
		{commands, golden(t, "CancelShipment"), dispatched},
	} {
		if err := step.handle(t.Context(), step.m); err != nil {
			t.Fatalf("%s: %v", step.m.Type, err)
		}
		if diff := cmp.Diff(step.want, m.Shipment(fulfil.Subject)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.m.Type, diff)
		}
	}
	early := &storetest.Memory{}
	if err := bus.Commands(early.For)(t.Context(), golden(t, "CancelShipment")); err != nil {
		t.Fatal(err)
	}
	tombstone := shipping.Shipment{OrderID: fulfil.Subject, OrderVersion: 3, State: machine.Cancelled}
	if diff := cmp.Diff([]storetest.Said{{Shipment: tombstone, Fact: machine.FailedCancelled}}, early.Said()); diff != "" {
		t.Errorf("a cancellation by itself (-want +got):\n%s", diff)
	}
}

// handlers returns the handler of each message type.
func handlers(transactions bus.For) map[string]message.Handler {
	commands := bus.Commands(transactions)
	return map[string]message.Handler{
		"FulfilOrder": commands, "CancelShipment": commands, "PrintLabel": bus.Labels(shipping.Worker{}, transactions),
	}
}

func TestGarbageIsInvalid(t *testing.T) {
	t.Parallel()
	never := func(message.Message) shipping.Transactions { t.Error("it began a transaction"); return nil }
	for place, handle := range handlers(never) {
		good := golden(t, place)
		with := func(change func(*message.Message)) message.Message {
			m := good
			change(&m)
			return m
		}
		replaced := func(old, replacement string) message.Message {
			return with(func(m *message.Message) { m.Data = bytes.ReplaceAll(m.Data, []byte(old), []byte(replacement)) })
		}
		tests := map[string]message.Message{
			"nothing":             with(func(m *message.Message) { m.Data = []byte{} }),
			"a tombstone":         with(func(m *message.Message) { m.Data = nil }),
			"no JSON":             with(func(m *message.Message) { m.Data = []byte("\x00\xff garbage") }),
			"cut off":             with(func(m *message.Message) { m.Data = m.Data[:len(m.Data)/2] }),
			"null":                with(func(m *message.Message) { m.Data = []byte("null") }),
			"two documents":       with(func(m *message.Message) { m.Data = append(bytes.Clone(m.Data), m.Data...) }),
			"no version":          replaced(`"orderVersion"`, `"version"`),
			"an odd order":        replaced(good.Subject, "x"),
			"another subject":     with(func(m *message.Message) { m.Subject = uuid.NewString() }),
			"no type":             with(func(m *message.Message) { m.Type = "" }),
			"an unknown type":     with(func(m *message.Message) { m.Type = "StealOrder" }),
			"a type of the facts": with(func(m *message.Message) { m.Type = "OrderPlacedEvent" }),
		}
		if place != "CancelShipment" {
			tests["an odd level"] = replaced(`"level": "`, `"level": "super-`)
			tests["no address"] = replaced(`"address"`, `"shipTo"`)
			tests["a long address"] = replaced("1 Harbour Street", string(bytes.Repeat([]byte("x"), 501)))
		}
		for name, m := range tests {
			if err := handle(t.Context(), m); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s, %s: got %v, want Invalid", place, name, err)
			}
		}
	}
}

// A label queue has labels only, and the commands' queue none.
func TestEachQueueHasItsOwn(t *testing.T) {
	t.Parallel()
	never := func(message.Message) shipping.Transactions { t.Error("it began a transaction"); return nil }
	for _, err := range []error{
		bus.Commands(never)(t.Context(), golden(t, "PrintLabel")),
		bus.Labels(shipping.Worker{}, never)(t.Context(), golden(t, "FulfilOrder")),
	} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want Invalid", err)
		}
	}
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	t.Parallel()
	m := golden(t, "FulfilOrder")
	m.Data = append([]byte(`{"addedLater":{"deep":[1]},`), bytes.TrimLeft(m.Data, "{")...)
	s := &storetest.Memory{}
	if err := bus.Commands(s.For)(t.Context(), m); err != nil {
		t.Error(err)
	}
	if got := s.Shipment(m.Subject).State; got != machine.Requested {
		t.Errorf("the shipment is %q", got)
	}
}

// failing are transactions that fail.
type failing struct {
	err error
	// about is told which order a message is about.
	about func(orderID string)
}

func (f failing) Look(_ context.Context, orderID string, _ shipping.Act) error {
	f.about(orderID)
	return f.err
}

func (f failing) Once(ctx context.Context, orderID string, fn shipping.Act) error {
	return f.Look(ctx, orderID, fn)
}

// What the use case says is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		transactions := func(message.Message) shipping.Transactions {
			return failing{err: fault.New(kind, ""), about: func(string) {}}
		}
		for name, handle := range handlers(transactions) {
			if err := handle(t.Context(), golden(t, name)); !fault.Is(err, kind) {
				t.Errorf("%s: got %v, want %s", name, err, kind)
			}
		}
	}
}

// FuzzMessages: whatever comes in is either Invalid or about the order that its
// subject names.
func FuzzMessages(f *testing.F) {
	for _, name := range []string{"FulfilOrder", "CancelShipment", "PrintLabel"} {
		m := golden(f, name)
		f.Add(name, m.Subject, m.Data)
	}
	f.Fuzz(func(t *testing.T, messageType, subject string, data []byte) {
		transactions := func(message.Message) shipping.Transactions {
			return failing{err: fault.New(fault.Conflict, "reached"), about: func(orderID string) {
				if orderID != subject {
					t.Errorf("the order is %q, the subject %q", orderID, subject)
				}
			}}
		}
		m := message.Message{ID: "1", Source: "order", Type: messageType, Subject: subject, Time: time.Now(), Data: data}
		for _, handle := range handlers(transactions) {
			if err := handle(t.Context(), m); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want Invalid or nothing", err)
			}
		}
	})
}
