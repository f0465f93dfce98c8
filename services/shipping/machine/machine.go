// Package machine decides what shipping does with each message of an order and
// with the carrier's answer. It is pure: the service runs it under the lock of
// the order's row; the model test runs it in memory.
//
//	none --fulfil--> requested --print--> (labelling) --> dispatched | failed
//	  |                 |
//	  +---- cancel -----+--> cancelled
//
// Shipping says exactly one thing about an order. CancelShipment wins only before
// the label's intent is committed; from labelling on, the carrier's outcome is
// the answer.
package machine

import "fmt"

// State of an order at shipping.
type State string

// The states. None is the state of an order that shipping has not heard of.
const (
	None       State = ""
	Requested  State = "requested"
	Labelling  State = "labelling"
	Dispatched State = "dispatched"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
)

// Fact is what shipping says. The zero value is silence.
type Fact string

// The facts.
const (
	Silence            Fact = ""
	ShipmentDispatched Fact = "ShipmentDispatchedEvent"
	FailedCarrier      Fact = "ShipmentFailedEvent{carrier}"
	FailedCancelled    Fact = "ShipmentFailedEvent{cancelled}"
)

// Decision is what a message makes of an order's state.
type Decision struct {
	State State
	Fact  Fact
	// Print sends PrintLabel to the label workers.
	Print bool
	// Call asks the carrier for the label once State is committed.
	Call bool
}

// UnreachableError is a message that the protocol cannot produce in this state. It
// is never guessed at: the message is kept and somebody is alerted.
type UnreachableError struct {
	State   State
	Message string
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("shipping in state %q cannot receive %s", e.State, e.Message)
}

// OnFulfil decides about FulfilOrder.
func OnFulfil(s State) Decision {
	if s == None {
		return Decision{State: Requested, Print: true}
	}
	return Decision{State: s}
}

// OnCancel decides about CancelShipment. An order that is not there leaves a
// tombstone, so that its FulfilOrder finds it cancelled.
func OnCancel(s State) Decision {
	switch s {
	case None, Requested:
		return Decision{State: Cancelled, Fact: FailedCancelled}
	case Labelling, Dispatched, Failed, Cancelled:
	}
	return Decision{State: s}
}

// OnPrint decides about PrintLabel.
func OnPrint(s State) (Decision, error) {
	switch s {
	case None:
		return Decision{}, &UnreachableError{s, "PrintLabel"}
	case Requested, Labelling:
		return Decision{State: Labelling, Call: true}, nil
	case Dispatched, Failed, Cancelled:
	}
	return Decision{State: s}, nil
}

// PrintAgain reports whether PrintLabel is to be sent again when s lasts: the
// first may have been lost, before the label began or after.
func PrintAgain(s State) bool { return s == Requested || s == Labelling }

// Answer is a definite answer of the carrier. An unknown outcome is no answer:
// the same call is made again under the same id.
type Answer string

// The definite answers.
const (
	Labelled Answer = "labelled"
	Refused  Answer = "refused"
)

// OnResult records the carrier's answer. It changes nothing unless the label is
// still being made: a stalled handler must not overwrite a later state.
func OnResult(s State, a Answer) Decision {
	if s != Labelling {
		return Decision{State: s}
	}
	if a == Refused {
		return Decision{State: Failed, Fact: FailedCarrier}
	}
	return Decision{State: Dispatched, Fact: ShipmentDispatched}
}
