package main

import (
	"context"
	"sync"
	"time"

	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/client"
)

func settled(o client.Order) bool { return o.Settled }

// others plays inventory, payment and shipping as they are when nothing fails. It
// remembers the messages that it got.
type others struct {
	w         *world
	publisher *kafka.Publisher

	mu  sync.Mutex
	got []message.Message
}

func (o *others) handle(ctx context.Context, m message.Message) error {
	o.mu.Lock()
	o.got = append(o.got, m)
	o.mu.Unlock()
	for _, p := range answers(m) {
		if err := o.say(ctx, m, p); err != nil {
			return err
		}
	}
	return nil
}

// say publishes a fact in the trace of the message that caused it.
func (o *others) say(ctx context.Context, cause message.Message, p contract.Payload) error {
	m, err := contract.NewMessage(p, newID(), time.Now())
	if err != nil {
		return err
	}
	m.Headers = cause.Headers
	return o.publisher.Publish(ctx, m)
}

// answers are the facts that a message leads to.
func answers(m message.Message) []contract.Payload {
	id, items := m.Subject, []contract.Item{{ProductID: "123", Quantity: 1}}
	amount := contract.Money{AmountMinor: 1250, Currency: "EUR"}
	switch m.Type + " " + m.Delivery.Place {
	case "OrderPlacedEvent Orders":
		return []contract.Payload{
			contract.StockReservedEvent{OrderID: id, OrderVersion: 1, Items: items},
			contract.PaymentAuthorizedEvent{OrderID: id, OrderVersion: 1, Amount: amount},
		}
	case "FulfilOrder InventoryQueue":
		return []contract.Payload{contract.StockPickedEvent{OrderID: id, OrderVersion: 2, Items: items}}
	case "FulfilOrder PaymentQueue":
		return []contract.Payload{contract.PaymentCapturedEvent{OrderID: id, OrderVersion: 2, Amount: amount}}
	case "FulfilOrder ShippingQueue":
		return []contract.Payload{contract.ShipmentDispatchedEvent{OrderID: id, OrderVersion: 2, TrackingNumber: "trk", Level: "express"}}
	case "UndoOrder InventoryQueue":
		return []contract.Payload{contract.StockReleasedEvent{OrderID: id, OrderVersion: 2}}
	case "UndoOrder PaymentQueue":
		return []contract.Payload{contract.PaymentVoidedEvent{OrderID: id, OrderVersion: 2}}
	}
	return nil
}

// received returns the messages of a type that were received.
func (o *others) received(messageType string) []message.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []message.Message
	for _, m := range o.got {
		if m.Type == messageType {
			list = append(list, m)
		}
	}
	return list
}
