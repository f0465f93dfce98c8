// Package bus handles the messages that reach the payment service: OrderPlacedEvent
// from Kafka, FulfilOrder and UndoOrder from RabbitMQ.
package bus

import (
	"context"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/payment"
)

// For gives the transactions of a message.
type For func(m message.Message) payment.Transactions

// Orders handles the topic Orders. Payment acts on placed orders alone: what
// becomes of them it is told by commands.
func Orders(h payment.Handler, transactions For) message.Handler {
	placed := func(ctx context.Context, m message.Message, e contract.OrderPlacedEvent) error {
		return h.Place(ctx, transactions(m), payment.Placed{
			OrderID: e.OrderID, Version: e.Version, Token: e.Token,
			Amount: payment.Money{Minor: e.Amount.AmountMinor, Currency: e.Amount.Currency},
		})
	}
	return message.NewRouter().
		Ignore(contract.TypesOn(contract.TopicOrders)...).
		On(contract.OrderPlacedEvent{}.Type(), contract.Handle(placed)).Handle
}

// Commands handles PaymentQueue.
func Commands(h payment.Handler, transactions For) message.Handler {
	fulfil := func(ctx context.Context, m message.Message, c contract.FulfilOrder) error {
		return h.Fulfil(ctx, transactions(m), payment.Command{OrderID: c.OrderID, OrderVersion: c.OrderVersion})
	}
	undo := func(ctx context.Context, m message.Message, c contract.UndoOrder) error {
		return h.Undo(ctx, transactions(m), payment.Command{OrderID: c.OrderID, OrderVersion: c.OrderVersion})
	}
	return message.NewRouter().
		On(contract.FulfilOrder{}.Type(), contract.Handle(fulfil)).
		On(contract.UndoOrder{}.Type(), contract.Handle(undo)).Handle
}
