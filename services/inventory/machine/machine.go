// Package machine decides what inventory does with each message of an order. It
// is pure: the service runs it under the lock of the order's row and writes what
// it says in the same transaction; the model test runs it in memory.
//
//	none --placed--> reserved --fulfil--> picked --undo--> returned
//	  |  \              +--undo--> released
//	  |   placed, too little: rejected --undo--> released
//	  +--undo--> tombstone
package machine

import "fmt"

// State of an order at inventory.
type State string

// The states. None is the state of an order that inventory has not heard of.
const (
	None      State = ""
	Reserved  State = "reserved"
	Rejected  State = "rejected"
	Picked    State = "picked"
	Released  State = "released"
	Returned  State = "returned"
	Tombstone State = "tombstone"
)

// Fact is what inventory says. The zero value is silence.
type Fact string

// The facts, by the names of their events.
const (
	Silence       Fact = ""
	StockReserved Fact = "StockReservedEvent"
	StockRejected Fact = "StockRejectedEvent"
	StockPicked   Fact = "StockPickedEvent"
	StockReleased Fact = "StockReleasedEvent"
	StockReturned Fact = "StockReturnedEvent"
)

// Movement is what happens to the stock of each item.
type Movement string

// The movements.
const (
	Still    Movement = ""
	Reserve  Movement = "reserve"
	Pick     Movement = "pick"
	Release  Movement = "release"
	TakeBack Movement = "take_back"
)

// Decision is what a message makes of an order's state. A decision that keeps the
// state is silent: a closing fact is written by the change that it announces.
type Decision struct {
	State    State
	Fact     Fact
	Movement Movement
}

// UnreachableError is a message that the protocol cannot produce in this state. It
// is never guessed at: the message is kept and somebody is alerted.
type UnreachableError struct {
	State   State
	Message string
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("inventory in state %q cannot receive %s", e.State, e.Message)
}

// OnPlaced decides about OrderPlacedEvent. Enough reports whether every item is
// there; it is asked only where it matters.
func OnPlaced(s State, enough func() bool) Decision {
	if s != None {
		return Decision{State: s}
	}
	if enough() {
		return Decision{Reserved, StockReserved, Reserve}
	}
	return Decision{Rejected, StockRejected, Still}
}

// OnFulfil decides about FulfilOrder.
func OnFulfil(s State) (Decision, error) {
	switch s {
	case Reserved:
		return Decision{Picked, StockPicked, Pick}, nil
	case None, Rejected:
		return Decision{}, &UnreachableError{s, "FulfilOrder"}
	case Picked, Released, Returned, Tombstone:
	}
	return Decision{State: s}, nil
}

// OnUndo decides about UndoOrder. An order that is not there leaves a tombstone,
// so that its OrderPlacedEvent finds it cancelled.
func OnUndo(s State) Decision {
	switch s {
	case None:
		return Decision{Tombstone, StockReleased, Still}
	case Reserved:
		return Decision{Released, StockReleased, Release}
	case Rejected:
		return Decision{Released, StockReleased, Still}
	case Picked:
		return Decision{Returned, StockReturned, TakeBack}
	case Released, Returned, Tombstone:
	}
	return Decision{State: s}
}
