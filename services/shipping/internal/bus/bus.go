// Package bus handles the messages that reach the shipping service, all of them
// work from RabbitMQ: FulfilOrder and CancelShipment from ShippingQueue, PrintLabel
// from the label queues.
package bus

import (
	"context"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/shipping/internal/shipping"
)

// For gives the transactions of a message.
type For func(m message.Message) shipping.Transactions

// Commands handles ShippingQueue.
func Commands(transactions For) message.Handler {
	fulfil := func(ctx context.Context, m message.Message, c contract.FulfilOrder) error {
		return shipping.Fulfil(ctx, transactions(m), shipping.Request{
			OrderID: c.OrderID, OrderVersion: c.OrderVersion, Level: c.Level, Address: c.ShipTo,
		})
	}
	cancel := func(ctx context.Context, m message.Message, c contract.CancelShipment) error {
		return shipping.Cancel(ctx, transactions(m), c.OrderID, c.OrderVersion)
	}
	return message.NewRouter().
		On(contract.FulfilOrder{}.Type(), contract.Handle(fulfil)).
		On(contract.CancelShipment{}.Type(), contract.Handle(cancel)).Handle
}

// Labels handles the label queues.
func Labels(w shipping.Worker, transactions For) message.Handler {
	label := func(ctx context.Context, m message.Message, c contract.PrintLabel) error {
		return w.Print(ctx, transactions(m), c.OrderID)
	}
	return message.NewRouter().On(contract.PrintLabel{}.Type(), contract.Handle(label)).Handle
}
