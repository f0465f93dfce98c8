package model

import (
	inventory "parley.sh/services/inventory/machine"
	order "parley.sh/services/order/machine"
	payment "parley.sh/services/payment/machine"
	shipping "parley.sh/services/shipping/machine"
)

// mutant is one misreading of the protocol, and an order that shows it.
type mutant struct {
	scenario scenario
	prefetch int
	rules    func(rules) rules
}

// mutants holds the misreadings that the protocol lists, each by its words.
func mutants() map[string]mutant {
	all := map[string]mutant{}
	for _, group := range []map[string]mutant{
		cancellationMutants(), intentMutants(), rowMutants(), settlementMutants(),
	} {
		for name, m := range group {
			all[name] = m
		}
	}
	return all
}

func cancellationMutants() map[string]mutant {
	return map[string]mutant{
		"only ShipmentFailed{cancelled} moves cancelling": {scenario{refuses: true, cancels: 1}, 2, func(r rules) rules {
			r.orderFailed = func(o order.Order, why order.Failure) (order.Decision, error) {
				if o.State == order.Cancelling && why == order.FailedCarrier {
					return order.Decision{Order: o}, nil
				}
				return order.OnShipmentFailed(o, why)
			}
			return r
		}},
		"a late command answered with a second closing fact": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.shippingCancel = func(s shipping.State) shipping.Decision {
				d := shipping.OnCancel(s)
				if s == shipping.Dispatched {
					d.Fact = shipping.FailedCancelled
				}
				return d
			}
			return r
		}},
		"CancelShipment wins over labelling": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.shippingCancel = func(s shipping.State) shipping.Decision {
				if s == shipping.Labelling {
					return shipping.Decision{State: shipping.Cancelled, Fact: shipping.FailedCancelled}
				}
				return shipping.OnCancel(s)
			}
			return r
		}},
		"the deadline forces cancelling to cancelled": {scenario{cancels: 1, expiries: 1}, 2, func(r rules) rules {
			r.orderDeadline = func(o order.Order) order.Decision {
				if o.State != order.Cancelling {
					return order.OnDeadline(o)
				}
				o.State = order.Cancelled
				o.Version++
				return order.Decision{Order: o, Events: []order.Event{order.EventCancelled}, Work: order.UndoOrder}
			}
			return r
		}},
	}
}

func intentMutants() map[string]mutant {
	return map[string]mutant{
		"UndoOrder held until the capture's own message comes round": {scenario{refuses: true, faults: 2}, 1, func(r rules) rules {
			r.waits = true
			return r
		}},
		"UndoOrder on authorizing taken as nothing was held": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.paymentUndo = func(s payment.State) payment.Decision {
				if s == payment.Authorizing {
					return payment.Decision{State: payment.Voided, Fact: payment.PaymentVoided}
				}
				return payment.OnUndo(s)
			}
			return r
		}},
		"unknown outcome asked by GET, 404 read as not done": {scenario{faults: 1}, 2, func(r rules) rules {
			r.asks = true
			return r
		}},
		"UndoOrder on capturing voids": {scenario{refuses: true}, 2, func(r rules) rules {
			r.paymentUndo = func(s payment.State) payment.Decision {
				if s == payment.Capturing {
					return payment.Decision{State: payment.Voiding, Call: payment.Void}
				}
				return payment.OnUndo(s)
			}
			return r
		}},
		"retries exhausted read as a carrier's refusal": {scenario{faults: 1}, 2, func(r rules) rules {
			r.exhausts = true
			return r
		}},
		"a new call id per attempt": {scenario{faults: 1}, 2, func(r rules) rules {
			r.fresh = true
			return r
		}},
		"the second transaction of payment not reading the row again": {scenario{refuses: true}, 2, func(r rules) rules {
			r.paymentResult = func(_ payment.State, i payment.Intent, a payment.Answer) (payment.Decision, error) {
				open := map[payment.Intent]payment.State{
					payment.Authorize: payment.Authorizing, payment.Capture: payment.Capturing,
					payment.Void: payment.Voiding, payment.Refund: payment.Refunding,
				}
				return payment.OnResult(open[i], i, a)
			}
			return r
		}},
		"the second transaction of shipping not reading the row again": {scenario{faults: 1}, 2, func(r rules) rules {
			r.shippingResult = func(_ shipping.State, a shipping.Answer) shipping.Decision {
				return shipping.OnResult(shipping.Labelling, a)
			}
			return r
		}},
	}
}

func rowMutants() map[string]mutant {
	return map[string]mutant{
		"no tombstone at inventory": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.inventoryUndo = func(s inventory.State) inventory.Decision {
				if s == inventory.None {
					return inventory.Decision{State: s, Fact: inventory.StockReleased}
				}
				return inventory.OnUndo(s)
			}
			return r
		}},
		"no tombstone at payment": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.paymentUndo = func(s payment.State) payment.Decision {
				if s == payment.None {
					return payment.Decision{State: s, Fact: payment.PaymentVoided}
				}
				return payment.OnUndo(s)
			}
			return r
		}},
		"no tombstone at shipping": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.shippingCancel = func(s shipping.State) shipping.Decision {
				if s == shipping.None {
					return shipping.Decision{State: s, Fact: shipping.FailedCancelled}
				}
				return shipping.OnCancel(s)
			}
			return r
		}},
		"the row locked before it exists": {scenario{cancels: 1}, 2, func(r rules) rules {
			r.rowUnlocked = true
			return r
		}},
		"order without the row lock": {scenario{}, 2, func(r rules) rules {
			r.orderUnlocked = true
			return r
		}},
	}
}

func settlementMutants() map[string]mutant {
	return map[string]mutant{
		"picked and captured closing a cancelled order":    {scenario{refuses: true}, 2, closing(order.StockPicked, order.MoneyCaptured)},
		"rejected closing a cancelled order":               {scenario{cancels: 1}, 2, soldOutClosing},
		"declined closing a cancelled order":               {scenario{declines: true}, 2, closing(order.StockReleased, order.MoneyDeclined)},
		"a rejected inventory silent on UndoOrder":         {scenario{cancels: 1}, 2, silentInventory},
		"a declined payment silent on UndoOrder":           {scenario{declines: true}, 2, silentPayment},
		"settlement checked on stock and money facts only": {scenario{}, 2, checkedOnFacts},
		"facts ignored outside placed":                     {scenario{}, 2, ignoredFacts},
	}
}

// closing settles a cancelled order from given legs on.
func closing(stock order.Stock, money order.Money) func(rules) rules {
	early := func(d order.Decision, err error) (order.Decision, error) {
		if err != nil || d.Order.Settled || d.Order.State != order.Cancelled ||
			d.Order.Stock < stock || d.Order.Money < money {
			return d, err
		}
		d.Order.Settled = true
		d.Order.Version++
		d.Events = append(d.Events, order.EventSettled)
		return d, nil
	}
	return func(r rules) rules {
		r.orderStock = func(o order.Order, f order.Stock) (order.Decision, error) { return early(order.OnStock(o, f)) }
		r.orderMoney = func(o order.Order, f order.Money) (order.Decision, error) { return early(order.OnMoney(o, f)) }
		r.orderFailed = func(o order.Order, why order.Failure) (order.Decision, error) {
			return early(order.OnShipmentFailed(o, why))
		}
		return r
	}
}

// soldOutClosing takes a rejection for the end of the stock's leg, and a hold for
// the end of the money's.
func soldOutClosing(r rules) rules {
	return closing(order.StockRejected, order.MoneyAuthorized)(r.soldOut())
}

func silentInventory(r rules) rules {
	r = r.soldOut()
	r.inventoryUndo = func(s inventory.State) inventory.Decision {
		if s == inventory.Rejected {
			return inventory.Decision{State: s}
		}
		return inventory.OnUndo(s)
	}
	return r
}

func silentPayment(r rules) rules {
	r.paymentUndo = func(s payment.State) payment.Decision {
		if s == payment.Declined {
			return payment.Decision{State: s}
		}
		return payment.OnUndo(s)
	}
	return r
}

// checkedOnFacts forgets to settle an order that its last message makes terminal.
func checkedOnFacts(r rules) rules {
	r.orderDispatched = func(o order.Order) (order.Decision, error) {
		d, err := order.OnDispatched(o)
		if d.Order.Settled {
			d.Order.Settled = false
			d.Order.Version--
			d.Events = d.Events[:1]
		}
		return d, err
	}
	return r
}

func ignoredFacts(r rules) rules {
	r.orderStock = func(o order.Order, f order.Stock) (order.Decision, error) {
		if o.State != order.Placed {
			return order.Decision{Order: o}, nil
		}
		return order.OnStock(o, f)
	}
	r.orderMoney = func(o order.Order, f order.Money) (order.Decision, error) {
		if o.State != order.Placed {
			return order.Decision{Order: o}, nil
		}
		return order.OnMoney(o, f)
	}
	return r
}
