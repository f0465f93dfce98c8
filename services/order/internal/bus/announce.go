package bus

import (
	"fmt"
	"time"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// Announcer turns changes into messages.
type Announcer struct {
	// NewID makes message ids: UUIDs of version 7.
	NewID func() string
}

// Messages returns what a change sends, in order: one event for each entry, then
// the work, then a hint if there is something new to read. The work of an order
// that is asked again has ids of its own, or participants would take it for a
// repetition that they have seen.
func (a Announcer) Messages(c order.Change) ([]message.Message, error) {
	payloads := make([]dated, 0, len(c.Entries)+len(c.Work)+1)
	for _, e := range c.Entries {
		p, err := event(c, e)
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, dated{p, e.At})
	}
	for _, w := range c.Work {
		p, err := work(c.Order, w)
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, dated{p, c.At})
	}
	if len(c.Entries) > 0 {
		hint := contract.OrderUpdated{OrderID: c.Order.ID, Version: c.Order.Progress.Version}
		payloads = append(payloads, dated{hint, c.At})
	}
	return a.messages(payloads)
}

// dated is a payload and the time of its fact.
type dated struct {
	payload contract.Payload
	at      time.Time
}

func (a Announcer) messages(payloads []dated) ([]message.Message, error) {
	messages := make([]message.Message, len(payloads))
	for i, p := range payloads {
		m, err := contract.NewMessage(p.payload, a.NewID(), p.at)
		if err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, nil
}

func event(c order.Change, e order.Entry) (contract.Payload, error) {
	id := e.OrderID
	switch e.Event {
	case machine.EventPlaced:
		return placed(c, e), nil
	case machine.EventConfirmed:
		return contract.OrderConfirmedEvent{OrderID: id, Version: e.Version}, nil
	case machine.EventCancellationRequested:
		return contract.OrderCancellationRequestedEvent{OrderID: id, Version: e.Version, Reason: string(e.Reason)}, nil
	case machine.EventShipped:
		return contract.OrderShippedEvent{OrderID: id, Version: e.Version, TrackingNumber: e.TrackingNumber}, nil
	case machine.EventCancelled:
		return contract.OrderCancelledEvent{OrderID: id, Version: e.Version, Reason: string(e.Reason)}, nil
	case machine.EventSettled:
		return contract.OrderSettledEvent{OrderID: id, Version: e.Version}, nil
	}
	return nil, fault.New(fault.Internal, fmt.Sprintf("no message for event %q", string(e.Event)))
}

func placed(c order.Change, e order.Entry) contract.OrderPlacedEvent {
	return contract.OrderPlacedEvent{
		OrderID: e.OrderID, Version: e.Version, CustomerID: c.Order.CustomerID,
		Items: items(c.Order), Amount: amount(c.Order), Token: c.Token,
		Level: c.Order.Level, ShipTo: c.Order.Address,
	}
}

func work(o order.Order, w machine.Work) (contract.Payload, error) {
	id, version, reason := o.ID, o.Progress.Version, string(o.Progress.Reason)
	switch w {
	case machine.FulfilOrder:
		return contract.FulfilOrder{
			OrderID: id, OrderVersion: version, Items: items(o), Amount: amount(o),
			Level: o.Level, ShipTo: o.Address,
		}, nil
	case machine.UndoOrder:
		return contract.UndoOrder{OrderID: id, OrderVersion: version, Reason: reason}, nil
	case machine.CancelShipment:
		return contract.CancelShipment{OrderID: id, OrderVersion: version, Reason: reason}, nil
	case machine.NoWork:
	}
	return nil, fault.New(fault.Internal, fmt.Sprintf("no message for work %q", string(w)))
}

func items(o order.Order) []contract.Item {
	list := make([]contract.Item, len(o.Items))
	for i, it := range o.Items {
		list[i] = contract.Item{ProductID: it.ProductID, Quantity: it.Quantity}
	}
	return list
}

func amount(o order.Order) contract.Money {
	return contract.Money{AmountMinor: o.Amount.AmountMinor, Currency: o.Amount.Currency}
}
