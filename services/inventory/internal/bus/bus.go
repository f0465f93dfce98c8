// Package bus handles the messages that reach the inventory service: OrderPlacedEvent
// from Kafka, FulfilOrder and UndoOrder from RabbitMQ.
package bus

import (
	"context"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/kit/message"
)

// Once gives the transaction in which a message takes effect at most once.
type Once func(m message.Message) inventory.Transact

// Orders handles the topic Orders. Inventory acts on placed orders alone: what
// becomes of them it is told by commands.
func Orders(once Once) message.Handler {
	placed := func(ctx context.Context, m message.Message, e contract.OrderPlacedEvent) error {
		return inventory.Place(ctx, once(m), inventory.Placed{OrderID: e.OrderID, Version: e.Version, Items: items(e.Items)})
	}
	return message.NewRouter().
		Ignore(contract.TypesOn(contract.TopicOrders)...).
		On(contract.OrderPlacedEvent{}.Type(), contract.Handle(placed)).Handle
}

// Commands handles InventoryQueue.
func Commands(once Once) message.Handler {
	fulfil := func(ctx context.Context, m message.Message, c contract.FulfilOrder) error {
		return inventory.Fulfil(ctx, once(m), inventory.Command{OrderID: c.OrderID, OrderVersion: c.OrderVersion})
	}
	undo := func(ctx context.Context, m message.Message, c contract.UndoOrder) error {
		return inventory.Undo(ctx, once(m), inventory.Command{OrderID: c.OrderID, OrderVersion: c.OrderVersion})
	}
	return message.NewRouter().
		On(contract.FulfilOrder{}.Type(), contract.Handle(fulfil)).
		On(contract.UndoOrder{}.Type(), contract.Handle(undo)).Handle
}

func items(in []contract.Item) []inventory.Item {
	out := make([]inventory.Item, len(in))
	for i, item := range in {
		out[i] = inventory.Item{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return out
}
