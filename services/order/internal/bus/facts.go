package bus

import (
	"context"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// Group is the consumer group of facts, and the name of this consumer in the inbox.
const Group = contract.Order

// FactTopics are the topics that Facts handles.
func FactTopics() []string {
	return []string{contract.TopicInventory, contract.TopicPayments, contract.TopicShipments}
}

// Reactor takes in facts: *order.Service.
type Reactor interface {
	React(ctx context.Context, f order.Fact) error
}

// Facts returns the handler of what the other services say about orders.
func Facts(r Reactor) message.Handler {
	router := message.NewRouter()
	on(router, r, stock[contract.StockReservedEvent](machine.StockReserved))
	on(router, r, stock[contract.StockRejectedEvent](machine.StockRejected))
	on(router, r, stock[contract.StockPickedEvent](machine.StockPicked))
	on(router, r, stock[contract.StockReleasedEvent](machine.StockReleased))
	on(router, r, stock[contract.StockReturnedEvent](machine.StockReturned))
	on(router, r, money[contract.PaymentAuthorizedEvent](machine.MoneyAuthorized))
	on(router, r, money[contract.PaymentDeclinedEvent](machine.MoneyDeclined))
	on(router, r, money[contract.PaymentCapturedEvent](machine.MoneyCaptured))
	on(router, r, money[contract.PaymentVoidedEvent](machine.MoneyVoided))
	on(router, r, money[contract.PaymentRefundedEvent](machine.MoneyRefunded))
	on(router, r, dispatched)
	on(router, r, failed)
	return router.Handle
}

// on registers the handler of one type of fact.
func on[P contract.Payload](router *message.Router, r Reactor, fact func(P) order.Fact) {
	var p P
	router.On(p.Type(), contract.Handle(func(ctx context.Context, m message.Message, p P) error {
		f := fact(p)
		f.OrderID = p.Subject()
		f.Receipt = order.Receipt{Consumer: Group, ID: m.ID, Source: m.Source, Type: m.Type, Time: m.Time}
		return r.React(ctx, f)
	}))
}

func stock[P contract.Payload](leg machine.Stock) func(P) order.Fact {
	return func(P) order.Fact {
		return order.Fact{Decide: func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, leg) }}
	}
}

func money[P contract.Payload](leg machine.Money) func(P) order.Fact {
	return func(P) order.Fact {
		return order.Fact{Decide: func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, leg) }}
	}
}

func dispatched(e contract.ShipmentDispatchedEvent) order.Fact {
	return order.Fact{Decide: machine.OnDispatched, TrackingNumber: e.TrackingNumber}
}

func failed(e contract.ShipmentFailedEvent) order.Fact {
	return order.Fact{Decide: func(o machine.Order) (machine.Decision, error) {
		return machine.OnShipmentFailed(o, machine.Failure(e.Reason))
	}}
}
