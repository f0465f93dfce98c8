// Package machine decides what an order does with each input. It is pure: the
// service runs it under the lock of the order's row and writes what it says in
// the same transaction; the model test runs it in memory with the machines of
// the other services.
//
//	placed --> confirmed --> shipped
//	   |          |  \          ^
//	   |          |   cancelling
//	   v          v      |
//	cancelled <----------+
//
// Shipped and cancelled are terminal but not done: an order is settled when each
// of its legs (stock, money, parcel) has closed.
package machine

import "fmt"

// State of an order.
type State string

// The states.
const (
	Placed     State = "placed"
	Confirmed  State = "confirmed"
	Cancelling State = "cancelling"
	Shipped    State = "shipped"
	Cancelled  State = "cancelled"
)

// Terminal reports whether the outcome of the order is decided.
func (s State) Terminal() bool { return s == Shipped || s == Cancelled }

// Stock is the leg of inventory. It only rises.
type Stock int

// What inventory has said, in rising order.
const (
	StockOpen Stock = iota
	StockReserved
	StockRejected
	StockPicked
	StockReleased
	StockReturned
)

// Money is the leg of payment. It only rises.
type Money int

// What payment has said, in rising order.
const (
	MoneyOpen Money = iota
	MoneyAuthorized
	MoneyDeclined
	MoneyCaptured
	MoneyVoided
	MoneyRefunded
)

// Parcel is the leg of shipping, which says one thing only.
type Parcel int

// What shipping has said.
const (
	ParcelOpen Parcel = iota
	ParcelDispatched
	ParcelFailed
)

// Reason says why an order is, or is to be, cancelled. Its values are those of
// the wire.
type Reason string

// The reasons.
const (
	OutOfStock      Reason = "out_of_stock"
	PaymentDeclined Reason = "payment_declined"
	ShippingFailed  Reason = "shipping_failed"
	TimedOut        Reason = "timed_out"
	CustomerRequest Reason = "customer_request"
)

// Order is what the decisions depend on. The zero value is no order: New makes one.
type Order struct {
	State   State
	Reason  Reason
	Stock   Stock
	Money   Money
	Parcel  Parcel
	Settled bool
	// Version counts the events of the order.
	Version int
}

// Event is a change of an order that the world is told of.
type Event string

// The events.
const (
	EventPlaced                Event = "placed"
	EventConfirmed             Event = "confirmed"
	EventCancellationRequested Event = "cancellation_requested"
	EventShipped               Event = "shipped"
	EventCancelled             Event = "cancelled"
	EventSettled               Event = "settled"
)

// Work is what an order asks of others.
type Work string

// The kinds of work; NoWork is the zero value.
const (
	NoWork         Work = ""
	FulfilOrder    Work = "FulfilOrder"
	UndoOrder      Work = "UndoOrder"
	CancelShipment Work = "CancelShipment"
)

// Decision is what an input makes of an order. Events are in order; the last one
// has the version of Order.
type Decision struct {
	Order  Order
	Events []Event
	Work   Work
	// Alert asks for a human's eye: the deadline passed and shipping is silent.
	Alert bool
}

// UnreachableError is an input that the protocol cannot produce in this state. It
// is never guessed at: the message is kept and somebody is alerted.
type UnreachableError struct {
	State State
	Input string
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("an order in state %s cannot receive %s", e.State, e.Input)
}

// New places an order.
func New() Decision {
	return emit(Order{State: Placed}, NoWork, EventPlaced)
}

// emit gives o one version for each event.
func emit(o Order, w Work, events ...Event) Decision {
	o.Version += len(events)
	return settle(Decision{Order: o, Events: events, Work: w})
}

// settle ends an order whose legs have all closed. Every decision passes here, so
// that a message which makes an order terminal and closes its last leg says both.
func settle(d Decision) Decision {
	if d.Order.Settled || !closed(d.Order) {
		return d
	}
	d.Order.Settled = true
	d.Order.Version++
	d.Events = append(d.Events, EventSettled)
	return d
}

func closed(o Order) bool {
	switch o.State {
	case Shipped:
		return o.Parcel == ParcelDispatched && o.Stock == StockPicked && o.Money == MoneyCaptured
	case Cancelled:
		return o.Stock >= StockReleased && o.Money >= MoneyVoided
	case Placed, Confirmed, Cancelling:
	}
	return false
}
