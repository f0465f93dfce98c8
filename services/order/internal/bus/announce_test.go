package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store/storetest"
	"parley.sh/services/order/machine"
)

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
