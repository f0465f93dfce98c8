package model

import (
	inventory "parley.sh/services/inventory/machine"
	order "parley.sh/services/order/machine"
	payment "parley.sh/services/payment/machine"
	shipping "parley.sh/services/shipping/machine"
)

// rules are the machines under test, and how their services run them. The real
// ones are returned by protocol; a mutant changes one.
type rules struct {
	orderStock      func(order.Order, order.Stock) (order.Decision, error)
	orderMoney      func(order.Order, order.Money) (order.Decision, error)
	orderDispatched func(order.Order) (order.Decision, error)
	orderFailed     func(order.Order, order.Failure) (order.Decision, error)
	orderCancel     func(order.Order) (order.Decision, error)
	orderDeadline   func(order.Order) order.Decision

	inventoryPlaced func(inventory.State) inventory.Decision
	inventoryFulfil func(inventory.State) (inventory.Decision, error)
	inventoryUndo   func(inventory.State) inventory.Decision

	paymentPlaced func(payment.State) payment.Decision
	paymentFulfil func(payment.State) (payment.Decision, error)
	paymentUndo   func(payment.State) payment.Decision
	paymentResult func(payment.State, payment.Intent, payment.Answer) (payment.Decision, error)

	shippingFulfil func(shipping.State) shipping.Decision
	shippingCancel func(shipping.State) shipping.Decision
	shippingPrint  func(shipping.State) (shipping.Decision, error)
	shippingResult func(shipping.State, shipping.Answer) shipping.Decision

	// orderUnlocked reads the order's row in one step and writes it in another.
	orderUnlocked bool
	// rowUnlocked does so at inventory while the order has no row there.
	rowUnlocked bool
	// waits holds UndoOrder until another message has finished its intent.
	waits bool
	// fresh makes each attempt a call of its own.
	fresh bool
	// asks reads an unknown outcome by GET, and not found as refused.
	asks bool
	// exhausts takes an unknown outcome of the carrier for a refusal.
	exhausts bool
}

func protocol() rules {
	return rules{
		orderStock: order.OnStock, orderMoney: order.OnMoney, orderDispatched: order.OnDispatched,
		orderFailed: order.OnShipmentFailed, orderCancel: order.OnCancel, orderDeadline: order.OnDeadline,
		inventoryPlaced: func(s inventory.State) inventory.Decision {
			return inventory.OnPlaced(s, func() bool { return true })
		},
		inventoryFulfil: inventory.OnFulfil, inventoryUndo: inventory.OnUndo,
		paymentPlaced: payment.OnPlaced, paymentFulfil: payment.OnFulfil, paymentUndo: payment.OnUndo,
		paymentResult:  payment.OnResult,
		shippingFulfil: shipping.OnFulfil, shippingCancel: shipping.OnCancel, shippingPrint: shipping.OnPrint,
		shippingResult: shipping.OnResult,
	}
}

// soldOut is the protocol for an order whose items are not there.
func (r rules) soldOut() rules {
	r.inventoryPlaced = func(s inventory.State) inventory.Decision {
		return inventory.OnPlaced(s, func() bool { return false })
	}
	return r
}
