package model

import (
	"errors"
	"fmt"

	order "parley.sh/services/order/machine"
	payment "parley.sh/services/payment/machine"
	shipping "parley.sh/services/shipping/machine"
)

// move is one durable step and the world after it.
type move struct {
	name string
	to   world
	err  error
}

// explorer makes moves by its rules.
type explorer struct {
	rules    rules
	prefetch int
}

// moves lists everything that can happen next in w.
func (x explorer) moves(w world) []move {
	var all []move
	add := func(name string, to world, err error) { all = append(all, move{name, to, err}) }
	for p := range places {
		x.deliveries(w, p, add)
	}
	for i, h := range w.handlers {
		if h.phase != idle {
			x.steps(w, i, add)
		}
	}
	for _, c := range []byte(w.late) {
		to := w
		to.late = removeByte(to.late, c)
		outside(&to, intent(c>>4), c&0xf)
		add("late call lands", to, nil)
	}
	x.requests(w, add)
	return all
}

type adder func(name string, to world, err error)

// deliveries are the messages of a place that can be handled next.
func (x explorer) deliveries(w world, p place, add adder) {
	waiting := w.on[p]
	if p.kafka() && waiting != "" {
		waiting = waiting[:1]
	}
	limit := x.prefetch
	if p.kafka() {
		limit = 1
	}
	if w.busy(p) >= limit {
		return
	}
	last := none
	for _, c := range []byte(waiting) {
		m := msg(c)
		if m == last {
			continue
		}
		last = m
		to, err := x.begin(w, p, m)
		name := fmt.Sprintf("handle %s", names[m])
		if to.handlers == w.handlers && !errors.Is(err, errNoSlot) {
			add(name, to, err)
			x.repeat(w, to, p, m, name, add)
		} else if err == nil {
			add(name, to, nil)
		}
		if w.faults > 0 && !p.kafka() {
			lost := w
			lost.faults--
			lost.take(p, m)
			add("lose "+names[m], lost, nil)
		}
	}
}

// repeat is a crash between the effect of a message and its acknowledgement.
func (x explorer) repeat(w, to world, p place, m msg, name string, add adder) {
	if w.faults == 0 {
		return
	}
	to.faults--
	if p.kafka() {
		to.on[p] = string(rune(m)) + to.on[p]
	} else {
		to.put(p, m)
	}
	add(name+" and crash before the ack", to, nil)
}

var errNoSlot = errors.New("no handler is free")

// begin runs the first transaction of a message.
func (x explorer) begin(w world, p place, m msg) (world, error) {
	w.take(p, m)
	switch p {
	case inventoryFacts, paymentFacts, shipmentFacts:
		if x.rules.orderUnlocked {
			return x.park(w, handler{place: p, msg: m, phase: stale, seen: snapshot{order: w.order}})
		}
		d, err := x.fact(w.order, m)
		return apply(w, d, err)
	case placedAtInventory, inventoryQueue:
		if x.rules.rowUnlocked && w.inventory == "" {
			return x.park(w, handler{place: p, msg: m, phase: stale})
		}
		return x.atInventory(w, w.inventory, m)
	case placedAtPayment, paymentQueue:
		return x.atPayment(w, p, m)
	case shippingQueue, labelQueue, places:
	}
	return x.atShipping(w, p, m)
}

func (x explorer) park(w world, h handler) (world, error) {
	if !w.hold(h) {
		return w, errNoSlot
	}
	return w, nil
}

// fact is what an order does with a fact of another service.
func (x explorer) fact(o order.Order, m msg) (order.Decision, error) {
	switch m {
	case stockReserved, stockRejected, stockPicked, stockReleased, stockReturned:
		return x.rules.orderStock(o, order.Stock(m-stockReserved)+order.StockReserved)
	case paymentAuthorized, paymentDeclined, paymentCaptured, paymentVoided, paymentRefunded:
		return x.rules.orderMoney(o, order.Money(m-paymentAuthorized)+order.MoneyAuthorized)
	case dispatched:
		return x.rules.orderDispatched(o)
	case failedCarrier:
		return x.rules.orderFailed(o, order.FailedCarrier)
	default:
		return x.rules.orderFailed(o, order.FailedCancelled)
	}
}

// apply writes an order's decision: row, events and work in one transaction.
func apply(w world, d order.Decision, err error) (world, error) {
	if err != nil {
		return w, err
	}
	w.order = d.Order
	for _, e := range d.Events {
		w.timeline += letters[e]
	}
	w.work(d.Work)
	return w, nil
}

// requests are what comes from outside: the customer, the clock, and an order that
// asks again before it must.
func (x explorer) requests(w world, add adder) {
	if w.cancels > 0 {
		to := w
		to.cancels--
		d, err := x.rules.orderCancel(to.order)
		if !errors.Is(err, order.ErrShipped) {
			to, err = apply(to, d, err)
			add("customer cancels", to, err)
		}
	}
	if w.expiries > 0 {
		to := w
		to.expiries--
		to, err := apply(to, x.rules.orderDeadline(to.order), nil)
		add("deadline passes", to, err)
	}
	if w.faults > 0 && !w.order.Settled {
		to := w
		to.faults--
		add("ask again early", askAgain(to), nil)
	}
}

// askAgain sends the work of every leg that has not closed, as order and shipping do.
func askAgain(w world) world {
	for _, k := range order.AskAgain(w.order) {
		w.work(k)
	}
	if shipping.PrintAgain(w.shipping) {
		w.put(labelQueue, printLabel)
	}
	return w
}

func removeByte(s string, c byte) string {
	for i := range len(s) {
		if s[i] == c {
			return s[:i] + s[i+1:]
		}
	}
	return s
}

// outside does a call at the provider or the carrier and answers whether it was
// refused. One key has one effect for ever.
func outside(w *world, i intent, call byte) (refused bool) {
	key := string(rune(byte(i)<<4 | call))
	seen := false
	for _, c := range w.books.done {
		seen = seen || string(c) == key
	}
	switch i {
	case authorize:
		if !seen && !w.declines {
			w.books.authorized++
		}
		refused = w.declines
	case label:
		if !seen && !w.refuses {
			w.parcels++
		}
		refused = w.refuses
	case capture, void, refund:
		if !seen {
			refused = !w.books.move(i)
		}
	case noIntent:
	}
	if !seen && !refused || i == authorize || i == label {
		if !seen {
			w.books.done = sorted(w.books.done + key)
		}
	}
	return refused
}

// move captures, voids or refunds. It reports false for what the provider refuses;
// what was done already counts as done.
func (b *books) move(i intent) bool {
	switch i {
	case capture:
		if b.held() <= 0 {
			return false
		}
		b.captured++
	case void:
		if b.held() <= 0 {
			return b.captured == 0
		}
		b.voided++
	case refund:
		if b.captured > b.refunded {
			b.refunded++
		}
	case noIntent, authorize, label:
	}
	return true
}

var paymentIntents = map[payment.Intent]intent{
	payment.Authorize: authorize, payment.Capture: capture, payment.Void: void, payment.Refund: refund,
}

var intentNames = map[intent]payment.Intent{
	authorize: payment.Authorize, capture: payment.Capture, void: payment.Void, refund: payment.Refund,
}

var letters = map[order.Event]string{
	order.EventPlaced: "P", order.EventConfirmed: "C", order.EventCancellationRequested: "R",
	order.EventShipped: "S", order.EventCancelled: "X", order.EventSettled: "T",
}

var names = map[msg]string{
	placed: "OrderPlaced", fulfil: "FulfilOrder", undo: "UndoOrder", cancelShipment: "CancelShipment",
	printLabel: "PrintLabel", stockReserved: "StockReserved", stockRejected: "StockRejected", stockPicked: "StockPicked",
	stockReleased: "StockReleased", stockReturned: "StockReturned", paymentAuthorized: "PaymentAuthorized",
	paymentDeclined: "PaymentDeclined", paymentCaptured: "PaymentCaptured", paymentVoided: "PaymentVoided",
	paymentRefunded: "PaymentRefunded", dispatched: "ShipmentDispatched", failedCarrier: "ShipmentFailed{carrier}",
	failedCancelled: "ShipmentFailed{cancelled}",
}
