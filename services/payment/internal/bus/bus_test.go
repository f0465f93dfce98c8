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
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/bus"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
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

// provider does everything.
type provider struct{ calls []payment.Intent }

func (p *provider) Call(_ context.Context, i payment.Intent) (payment.Result, error) {
	p.calls = append(p.calls, i)
	return payment.Result{Answer: machine.Done, ProviderRef: "auth_1"}, nil
}

// Each message reaches its use case with what it says.
func TestMessagesReachTheirUseCases(t *testing.T) {
	t.Parallel()
	m, p := &storetest.Memory{}, &provider{}
	h, placed := payment.Handler{Provider: p}, golden(t, "OrderPlacedEvent")
	for _, step := range []struct {
		handle message.Handler
		m      message.Message
		state  machine.State
	}{
		{bus.Orders(h, m.For), placed, machine.Authorized},
		{bus.Orders(h, m.For), placed, machine.Authorized},
		{bus.Commands(h, m.For), golden(t, "FulfilOrder"), machine.Captured},
		{bus.Commands(h, m.For), golden(t, "UndoOrder"), machine.Refunded},
	} {
		if err := step.handle(t.Context(), step.m); err != nil {
			t.Fatalf("%s: %v", step.m.Type, err)
		}
		if got := m.Payment(placed.Subject).State; got != step.state {
			t.Errorf("after %s the payment is %s, want %s", step.m.Type, got, step.state)
		}
	}
	want := payment.Intent{
		OrderID: placed.Subject, Kind: machine.Authorize, OrderVersion: 1, Token: "tok_ok",
		Amount: payment.Money{Minor: 2997, Currency: "EUR"},
	}
	if diff := cmp.Diff(want, p.calls[0]); diff != "" {
		t.Errorf("the first call (-want +got):\n%s", diff)
	}
	var versions []int
	for _, f := range m.Facts() {
		versions = append(versions, f.OrderVersion)
	}
	if diff := cmp.Diff([]int{1, 2, 2}, versions); diff != "" {
		t.Errorf("versions of the facts (-want +got):\n%s", diff)
	}
}

// Of the topic Orders payment acts on placed orders alone, and takes the others
// without a transaction.
func TestOtherEventsOfOrdersAreIgnored(t *testing.T) {
	t.Parallel()
	handle := bus.Orders(payment.Handler{}, func(message.Message) payment.Transactions {
		t.Error("it began a transaction")
		return nil
	})
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
	never := func(message.Message) payment.Transactions { t.Error("it began a transaction"); return nil }
	for place, handle := range map[string]message.Handler{
		"OrderPlacedEvent": bus.Orders(payment.Handler{}, never), "FulfilOrder": bus.Commands(payment.Handler{}, never),
	} {
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
			"nothing":              with(func(m *message.Message) { m.Data = []byte{} }),
			"a tombstone":          with(func(m *message.Message) { m.Data = nil }),
			"no JSON":              with(func(m *message.Message) { m.Data = []byte("\x00\xff garbage") }),
			"cut off":              with(func(m *message.Message) { m.Data = m.Data[:len(m.Data)/2] }),
			"null":                 with(func(m *message.Message) { m.Data = []byte("null") }),
			"two documents":        with(func(m *message.Message) { m.Data = append(bytes.Clone(m.Data), m.Data...) }),
			"no amount":            data(`"amount"`, `"price"`),
			"a negative amount":    data(`2997`, `-1`),
			"an amount in words":   data(`2997`, `"2997"`),
			"an amount past exact": data(`2997`, `9007199254740993`),
			"half a cent":          data(`2997`, `2997.5`),
			"an odd currency":      data(`"EUR"`, `"euro"`),
			"an odd order":         data(good.Subject, "x"),
			"another subject":      with(func(m *message.Message) { m.Subject = uuid.NewString() }),
			"no type":              with(func(m *message.Message) { m.Type = "" }),
			"an unknown type":      with(func(m *message.Message) { m.Type = "OrderStolenEvent" }),
			"a type of elsewhere":  with(func(m *message.Message) { m.Type = "CancelShipment" }),
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
	s := &storetest.Memory{}
	if err := bus.Orders(payment.Handler{Provider: &provider{}}, s.For)(t.Context(), m); err != nil {
		t.Error(err)
	}
	if got := s.Payment(m.Subject).State; got != machine.Authorized {
		t.Errorf("the payment is %q", got)
	}
}

// failing are transactions that fail.
type failing struct {
	payment.Transactions
	err error
	// about is told which order a message is about.
	about func(orderID string)
}

func (f failing) Look(_ context.Context, orderID string, _ payment.Act) error {
	f.about(orderID)
	return f.err
}

// What the use case says is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		transactions := func(message.Message) payment.Transactions {
			return failing{err: fault.New(kind, ""), about: func(string) {}}
		}
		for name, handle := range map[string]message.Handler{
			"OrderPlacedEvent": bus.Orders(payment.Handler{}, transactions),
			"FulfilOrder":      bus.Commands(payment.Handler{}, transactions),
			"UndoOrder":        bus.Commands(payment.Handler{}, transactions),
		} {
			if err := handle(t.Context(), golden(t, name)); !fault.Is(err, kind) {
				t.Errorf("%s: got %v, want %s", name, err, kind)
			}
		}
	}
}

// FuzzMessages: whatever comes in is either Invalid or about the order that its
// subject names.
func FuzzMessages(f *testing.F) {
	for _, name := range []string{"OrderPlacedEvent", "FulfilOrder", "UndoOrder"} {
		m := golden(f, name)
		f.Add(name, m.Subject, m.Data)
	}
	f.Fuzz(func(t *testing.T, messageType, subject string, data []byte) {
		reached := fault.New(fault.Conflict, "reached")
		transactions := func(message.Message) payment.Transactions {
			return failing{err: reached, about: func(orderID string) {
				if orderID != subject {
					t.Errorf("the order is %q, the subject %q", orderID, subject)
				}
			}}
		}
		m := message.Message{ID: "1", Source: "order", Type: messageType, Subject: subject, Time: time.Now(), Data: data}
		for _, handle := range []message.Handler{bus.Orders(payment.Handler{}, transactions), bus.Commands(payment.Handler{}, transactions)} {
			if err := handle(t.Context(), m); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want Invalid or nothing", err)
			}
		}
	})
}
