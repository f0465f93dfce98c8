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

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/bus"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
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

// shelf is a store that has what the golden order wants.
func shelf(t *testing.T) *storetest.Memory {
	t.Helper()
	m := &storetest.Memory{}
	for _, id := range []string{"123", "456"} {
		p := inventory.Product{ID: id, Name: id, OnHand: 5, Price: inventory.Money{Minor: 1, Currency: "EUR"}}
		if _, _, err := m.Put(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// Each message reaches its use case with what it says.
func TestMessagesReachTheirUseCases(t *testing.T) {
	t.Parallel()
	m := shelf(t)
	placed := golden(t, "OrderPlacedEvent")
	for _, step := range []struct {
		handle message.Handler
		m      message.Message
		state  machine.State
	}{
		{bus.Orders(m.Once), placed, machine.Reserved},
		{bus.Orders(m.Once), placed, machine.Reserved},
		{bus.Commands(m.Once), golden(t, "FulfilOrder"), machine.Picked},
		{bus.Commands(m.Once), golden(t, "UndoOrder"), machine.Returned},
	} {
		if err := step.handle(t.Context(), step.m); err != nil {
			t.Fatalf("%s: %v", step.m.Type, err)
		}
		if got := m.Reservation(placed.Subject).State; got != step.state {
			t.Errorf("after %s the order is %s, want %s", step.m.Type, got, step.state)
		}
	}
	items := []inventory.Item{{ProductID: "123", Quantity: 2}, {ProductID: "456", Quantity: 1}}
	fact := func(f machine.Fact, version int) inventory.Announcement {
		return inventory.Announcement{Fact: f, OrderID: placed.Subject, OrderVersion: version, Items: items}
	}
	want := []inventory.Announcement{fact(machine.StockReserved, 1), fact(machine.StockPicked, 2), fact(machine.StockReturned, 2)}
	if diff := cmp.Diff(want, m.Facts()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// Of the topic Orders inventory acts on placed orders alone, and takes the others
// without a transaction.
func TestOtherEventsOfOrdersAreIgnored(t *testing.T) {
	t.Parallel()
	handle := bus.Orders(func(message.Message) inventory.Transact { t.Error("it began a transaction"); return nil })
	for _, name := range contract.TypesOn(contract.TopicOrders) {
		if name == "OrderPlacedEvent" {
			continue
		}
		if err := handle(t.Context(), golden(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGarbageIsInvalid(t *testing.T) {
	t.Parallel()
	never := func(message.Message) inventory.Transact {
		return func(context.Context, string, inventory.Act) error {
			t.Error("it began a transaction")
			return nil
		}
	}
	for place, handle := range map[string]message.Handler{"OrderPlacedEvent": bus.Orders(never), "FulfilOrder": bus.Commands(never)} {
		good := golden(t, place)
		with := func(change func(*message.Message)) message.Message {
			m := good
			change(&m)
			return m
		}
		data := func(old, replacement string) message.Message {
			return with(func(m *message.Message) {
				if m.Data = bytes.ReplaceAll(m.Data, []byte(old), []byte(replacement)); bytes.Equal(m.Data, good.Data) {
					t.Errorf("%s has no %s", place, old)
				}
			})
		}
		for name, m := range map[string]message.Message{
			"nothing":             with(func(m *message.Message) { m.Data = []byte{} }),
			"a tombstone":         with(func(m *message.Message) { m.Data = nil }),
			"no JSON":             with(func(m *message.Message) { m.Data = []byte("\x00\xff garbage") }),
			"cut off":             with(func(m *message.Message) { m.Data = m.Data[:len(m.Data)/2] }),
			"null":                with(func(m *message.Message) { m.Data = []byte("null") }),
			"an array":            with(func(m *message.Message) { m.Data = []byte("[]") }),
			"two documents":       with(func(m *message.Message) { m.Data = append(bytes.Clone(m.Data), m.Data...) }),
			"no items":            data(`"items"`, `"things"`),
			"no quantity":         data(`"quantity"`, `"number"`),
			"a quantity of zero":  data(`"quantity": 2`, `"quantity": 0`),
			"a negative quantity": data(`"quantity": 2`, `"quantity": -2`),
			"too high a quantity": data(`"quantity": 2`, `"quantity": 9223372036854775807`),
			"half of one":         data(`"quantity": 2`, `"quantity": 0.5`),
			"an odd product":      data(`"123"`, `"1 OR 1"`),
			"an odd order":        data(good.Subject, "x"),
			"another subject":     with(func(m *message.Message) { m.Subject = uuid.NewString() }),
			"no subject":          with(func(m *message.Message) { m.Subject = "" }),
			"no type":             with(func(m *message.Message) { m.Type = "" }),
			"an unknown type":     with(func(m *message.Message) { m.Type = "OrderStolenEvent" }),
			"a type of elsewhere": with(func(m *message.Message) { m.Type = "PrintLabel" }),
		} {
			if err := handle(t.Context(), m); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s, %s: got %v, want Invalid", place, name, err)
			}
		}
	}
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	t.Parallel()
	m := golden(t, "OrderPlacedEvent")
	m.Data = append([]byte(`{"addedLater":{"deep":[1]},`), bytes.TrimLeft(m.Data, "{")...)
	s := shelf(t)
	if err := bus.Orders(s.Once)(t.Context(), m); err != nil {
		t.Error(err)
	}
	if got := s.Reservation(m.Subject).State; got != machine.Reserved {
		t.Errorf("the order is %q", got)
	}
}

// What the use case says is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		once := func(message.Message) inventory.Transact {
			return func(context.Context, string, inventory.Act) error {
				return fault.New(kind, "")
			}
		}
		for name, handle := range map[string]message.Handler{
			"OrderPlacedEvent": bus.Orders(once), "FulfilOrder": bus.Commands(once), "UndoOrder": bus.Commands(once),
		} {
			if err := handle(t.Context(), golden(t, name)); !fault.Is(err, kind) {
				t.Errorf("%s: got %v, want %s", name, err, kind)
			}
		}
	}
}

// FuzzCommands: whatever comes in is either Invalid or about the order that its
// subject names.
func FuzzMessages(f *testing.F) {
	for _, name := range []string{"OrderPlacedEvent", "FulfilOrder", "UndoOrder"} {
		m := golden(f, name)
		f.Add(name, m.Subject, m.Data)
	}
	f.Fuzz(func(t *testing.T, messageType, subject string, data []byte) {
		once := func(message.Message) inventory.Transact {
			return func(_ context.Context, orderID string, _ inventory.Act) error {
				if orderID != subject {
					t.Errorf("the order is %q, the subject %q", orderID, subject)
				}
				return nil
			}
		}
		m := message.Message{ID: "1", Source: "order", Type: messageType, Subject: subject, Time: time.Now(), Data: data}
		for _, handle := range []message.Handler{bus.Orders(once), bus.Commands(once)} {
			if err := handle(t.Context(), m); err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, want Invalid or nothing", err)
			}
		}
	})
}
