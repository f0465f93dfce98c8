package model

import (
	"fmt"

	inventory "parley.sh/services/inventory/machine"
	payment "parley.sh/services/payment/machine"
	shipping "parley.sh/services/shipping/machine"
)

// atInventory is inventory's one transaction, deciding by the state that was read.
func (x explorer) atInventory(w world, s inventory.State, m msg) (world, error) {
	var d inventory.Decision
	var err error
	switch m {
	case placed:
		d = x.rules.inventoryPlaced(s)
	case fulfil:
		d, err = x.rules.inventoryFulfil(s)
	default:
		d = x.rules.inventoryUndo(s)
	}
	if err != nil {
		return w, err
	}
	w.inventory = d.State
	switch d.Movement {
	case inventory.Reserve:
		w.reserved++
	case inventory.Pick:
		w.reserved--
		w.onHand--
	case inventory.Release:
		w.reserved--
	case inventory.TakeBack:
		w.onHand++
	case inventory.Still:
	}
	if d.Fact != inventory.Silence {
		w.put(inventoryFacts, stockFacts[d.Fact])
	}
	return w, nil
}

// atPayment is the first transaction of a message at payment.
func (x explorer) atPayment(w world, p place, m msg) (world, error) {
	d, err := x.paymentDecision(w.payment, m)
	if err != nil {
		return w, err
	}
	switch {
	case d.Finish != payment.NoIntent && x.rules.waits:
		return x.park(w, handler{place: p, msg: m, phase: waiting})
	case d.Finish != payment.NoIntent:
		return x.call(w, handler{place: p, msg: m, intent: paymentIntents[d.Finish]})
	case d.Call != payment.NoIntent:
		w.payment = d.State
		return x.call(w, handler{place: p, msg: m, intent: paymentIntents[d.Call], own: true})
	}
	w.payment = d.State
	if d.Fact != payment.Silence {
		w.put(paymentFacts, moneyFacts[d.Fact])
	}
	return w, nil
}

func (x explorer) paymentDecision(s payment.State, m msg) (payment.Decision, error) {
	switch m {
	case placed:
		return x.rules.paymentPlaced(s), nil
	case fulfil:
		return x.rules.paymentFulfil(s)
	default:
		return x.rules.paymentUndo(s), nil
	}
}

// call leaves a handler with an open intent, its call not made.
func (x explorer) call(w world, h handler) (world, error) {
	h.phase = calling
	if x.rules.fresh {
		h.call = w.calls
		w.calls++
	}
	return x.park(w, h)
}

// atShipping is the first transaction of a message at shipping.
func (x explorer) atShipping(w world, p place, m msg) (world, error) {
	var d shipping.Decision
	var err error
	switch m {
	case fulfil:
		d = x.rules.shippingFulfil(w.shipping)
	case cancelShipment:
		d = x.rules.shippingCancel(w.shipping)
	default:
		d, err = x.rules.shippingPrint(w.shipping)
	}
	if err != nil {
		return w, err
	}
	w = shipped(w, d)
	if d.Call {
		return x.call(w, handler{place: p, msg: m, intent: label, own: true})
	}
	return w, nil
}

func shipped(w world, d shipping.Decision) world {
	w.shipping = d.State
	if d.Print {
		w.put(labelQueue, printLabel)
	}
	if d.Fact != shipping.Silence {
		w.put(shipmentFacts, parcelFacts[d.Fact])
		w.said++
	}
	return w
}

// steps are what a handler can do next: go on, or lose its way.
func (x explorer) steps(w world, i int, add adder) {
	h := w.handlers[i]
	switch h.phase {
	case calling:
		x.callSteps(w, i, add)
	case answered:
		to := w
		to.release(i)
		to, err := x.record(to, h)
		name := fmt.Sprintf("record the answer to %s of %s", intentText(h.intent), names[h.msg])
		add(name, to, err)
		if h.own && err == nil {
			x.repeat(w, to, h.place, h.msg, name, add)
		}
	case waiting:
		if w.payment.Open() == payment.NoIntent {
			to := w
			to.release(i)
			to, err := x.atPayment(to, h.place, h.msg)
			add("go on with "+names[h.msg], to, err)
		}
	case stale:
		to := w
		to.release(i)
		to, err := x.write(to, h)
		add("write what was read for "+names[h.msg], to, err)
	case idle:
	}
	if w.faults > 0 && h.phase != waiting && h.phase != stale {
		to := w
		to.faults--
		to.release(i)
		to.put(h.place, h.msg)
		add("crash in "+names[h.msg], to, nil)
	}
}

// callSteps are the ways of a call: done and answered; done, the answer lost; taken
// and done later.
func (x explorer) callSteps(w world, i int, add adder) {
	h := w.handlers[i]
	name := fmt.Sprintf("%s for %s", intentText(h.intent), names[h.msg])
	to := w
	h.phase, h.refused = answered, outside(&to, h.intent, h.call)
	to.handlers[i] = h
	to.normalize()
	add(name, to, nil)
	if w.faults == 0 {
		return
	}
	lost := w
	lost.faults--
	outside(&lost, h.intent, h.call)
	add(name+", answer lost", x.unknown(lost, i), nil)
	late := w
	late.faults--
	late.late = sorted(late.late + string(rune(byte(h.intent)<<4|h.call)))
	add(name+", timed out, to be done late", x.unknown(late, i), nil)
}

// unknown is what a handler does with an outcome that it does not know: it gives up
// the attempt, and the message comes again. The mutants guess.
func (x explorer) unknown(w world, i int) world {
	h := w.handlers[i]
	done := false
	for _, c := range w.books.done {
		done = done || byte(c) == byte(h.intent)<<4|h.call
	}
	switch {
	case x.rules.exhausts && h.intent == label,
		x.rules.asks && h.intent == authorize && !done:
		h.phase, h.refused = answered, true
		w.handlers[i] = h
		w.normalize()
		return w
	}
	w.release(i)
	w.put(h.place, h.msg)
	return w
}

// record is the second transaction: it reads the row again. A handler that finished
// another message's intent begins again with its own.
func (x explorer) record(w world, h handler) (world, error) {
	if h.intent == label {
		a := shipping.Labelled
		if h.refused {
			a = shipping.Refused
		}
		return shipped(w, x.rules.shippingResult(w.shipping, a)), nil
	}
	a := payment.Done
	if h.refused {
		a = payment.Refused
	}
	d, err := x.rules.paymentResult(w.payment, intentNames[h.intent], a)
	if err != nil {
		return w, err
	}
	w.payment = d.State
	if d.Fact != payment.Silence {
		w.put(paymentFacts, moneyFacts[d.Fact])
	}
	if !h.own {
		w.put(h.place, h.msg)
	}
	return w, nil
}

// write is the second half of a transaction that did not lock what it read.
func (x explorer) write(w world, h handler) (world, error) {
	if h.place == placedAtInventory || h.place == inventoryQueue {
		return x.atInventory(w, "", h.msg)
	}
	d, err := x.fact(h.seen.order, h.msg)
	return apply(w, d, err)
}

func intentText(i intent) string {
	if i == label {
		return "label"
	}
	return string(intentNames[i])
}

var stockFacts = map[inventory.Fact]msg{
	inventory.StockReserved: stockReserved, inventory.StockRejected: stockRejected, inventory.StockPicked: stockPicked,
	inventory.StockReleased: stockReleased, inventory.StockReturned: stockReturned,
}

var moneyFacts = map[payment.Fact]msg{
	payment.PaymentAuthorized: paymentAuthorized, payment.PaymentDeclined: paymentDeclined,
	payment.PaymentCaptured: paymentCaptured, payment.PaymentVoided: paymentVoided, payment.PaymentRefunded: paymentRefunded,
}

var parcelFacts = map[shipping.Fact]msg{
	shipping.ShipmentDispatched: dispatched, shipping.FailedCarrier: failedCarrier, shipping.FailedCancelled: failedCancelled,
}
