package order

import (
	"time"

	"parley.sh/services/order/machine"
)

// Money is an amount in the minor unit of its currency.
type Money struct {
	AmountMinor int64
	Currency    string
}

// Item is a quantity of a product at the price it was ordered for.
type Item struct {
	ProductID string
	Quantity  int64
	UnitPrice Money
}

// The levels of shipping.
const (
	Express  = "express"
	Standard = "standard"
)

// Order is one order. Its zero value is none: Place makes one.
type Order struct {
	ID             string
	CustomerID     string
	Progress       machine.Order
	Items          []Item
	Amount         Money
	Level          string
	Address        string
	TrackingNumber string
	// Trace is the trace context of the request that placed it, in the form of the
	// traceparent header; empty if there was none.
	Trace     string
	PlacedAt  time.Time
	UpdatedAt time.Time
	// DeadlineAt is when the deadline acts next; zero in a terminal state.
	DeadlineAt time.Time
	// AskAt is when the open legs are asked again; zero while none is owed.
	AskAt time.Time
	// Asked counts how often they were, since the last change of state.
	Asked int
}

// Entry is one change of state on the timeline of an order.
type Entry struct {
	OrderID string
	// Version is that of the order after the change.
	Version        int
	Event          machine.Event
	Reason         machine.Reason
	TrackingNumber string
	At             time.Time
}

// Change is what one transaction writes about an order: its row, its new entries,
// an event for each of them, and work for the others.
type Change struct {
	Order Order
	// At is when it happened.
	At      time.Time
	Entries []Entry
	Work    []machine.Work
	// Token is the means of payment. Only the event of placing carries it, and the
	// order does not keep it.
	Token string
	// Alert says that the deadline of a cancelling order has passed.
	Alert bool
}

// change makes the Change that d means for o at a time.
func (o Order) change(d machine.Decision, at time.Time, t Timing) Change {
	before := o.Progress
	o.Progress, o.UpdatedAt = d.Order, at
	c := Change{At: at, Alert: d.Alert}
	if d.Work != machine.NoWork {
		c.Work = []machine.Work{d.Work}
	}
	first := d.Order.Version - len(d.Events) + 1
	for i, event := range d.Events {
		c.Entries = append(c.Entries, o.entry(event, first+i, at))
	}
	c.Order = o.timed(before, at, t)
	return c
}

// entry says of an event what belongs to it.
func (o Order) entry(event machine.Event, version int, at time.Time) Entry {
	e := Entry{OrderID: o.ID, Version: version, Event: event, At: at}
	switch event {
	case machine.EventCancelled, machine.EventCancellationRequested:
		e.Reason = o.Progress.Reason
	case machine.EventShipped:
		e.TrackingNumber = o.TrackingNumber
	case machine.EventPlaced, machine.EventConfirmed, machine.EventSettled:
	}
	return e
}
