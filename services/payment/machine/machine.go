// Package machine decides what payment does with each message of an order and
// with each answer of the provider. It is pure: the service runs it under the
// lock of the order's row; the model test runs it in memory.
//
// A call to the provider is an intent: its row is committed, then the call is made
// under the intent's id, then the answer is recorded in a second transaction that
// reads the row again.
//
//	none --placed--> (authorizing) --> authorized --fulfil--> (capturing) --> captured
//	  |                  |                 |                                     |
//	  |                  v               undo                                  undo
//	  |               declined             v                                     v
//	 undo             --undo-->        (voiding) --> voided        (refunding) --> refunded
//	  v                voided
//	tombstone
//
// States in parentheses have an open intent. A message that finds another's
// intent open finishes that one first and is then decided again.
package machine

import "fmt"

// State of an order at payment.
type State string

// The states. None is the state of an order that payment has not heard of.
const (
	None        State = ""
	Authorizing State = "authorizing"
	Authorized  State = "authorized"
	Declined    State = "declined"
	Capturing   State = "capturing"
	Captured    State = "captured"
	Voiding     State = "voiding"
	Voided      State = "voided"
	Refunding   State = "refunding"
	Refunded    State = "refunded"
	Tombstone   State = "tombstone"
)

// Intent is a call to the provider. There is one per order and kind for ever.
type Intent string

// The intents; NoIntent is the zero value.
const (
	NoIntent  Intent = ""
	Authorize Intent = "authorize"
	Capture   Intent = "capture"
	Void      Intent = "void"
	Refund    Intent = "refund"
)

// Fact is what payment says. The zero value is silence.
type Fact string

// The facts, by the names of their events.
const (
	Silence           Fact = ""
	PaymentAuthorized Fact = "PaymentAuthorizedEvent"
	PaymentDeclined   Fact = "PaymentDeclinedEvent"
	PaymentCaptured   Fact = "PaymentCapturedEvent"
	PaymentVoided     Fact = "PaymentVoidedEvent"
	PaymentRefunded   Fact = "PaymentRefundedEvent"
)

// Open returns the intent that is open in s.
func (s State) Open() Intent {
	switch s {
	case Authorizing:
		return Authorize
	case Capturing:
		return Capture
	case Voiding:
		return Void
	case Refunding:
		return Refund
	case None, Authorized, Declined, Captured, Voided, Refunded, Tombstone:
	}
	return NoIntent
}

// Decision is what a message makes of an order's state.
type Decision struct {
	State State
	Fact  Fact
	// Call is the intent to carry out once State is committed. The message is
	// done with its result.
	Call Intent
	// Finish is an open intent of another message, to be carried out first; the
	// message is decided again afterwards.
	Finish Intent
}

// UnreachableError is a message that the protocol cannot produce in this state. It
// is never guessed at: the message is kept and somebody is alerted.
type UnreachableError struct {
	State   State
	Message string
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("payment in state %q cannot receive %s", e.State, e.Message)
}

// OnPlaced decides about OrderPlacedEvent.
func OnPlaced(s State) Decision {
	switch s {
	case None, Authorizing:
		return Decision{State: Authorizing, Call: Authorize}
	case Authorized, Declined, Capturing, Captured, Voiding, Voided, Refunding, Refunded, Tombstone:
	}
	return Decision{State: s}
}

// OnFulfil decides about FulfilOrder.
func OnFulfil(s State) (Decision, error) {
	switch s {
	case None, Authorizing, Declined:
		return Decision{}, &UnreachableError{s, "FulfilOrder"}
	case Authorized, Capturing:
		return Decision{State: Capturing, Call: Capture}, nil
	case Captured, Voiding, Voided, Refunding, Refunded, Tombstone:
	}
	return Decision{State: s}, nil
}

// OnUndo decides about UndoOrder. An open authorization or capture is finished
// first: only then is it known whether there is anything to void or to refund.
func OnUndo(s State) Decision {
	switch s {
	case None:
		return Decision{State: Tombstone, Fact: PaymentVoided}
	case Authorizing, Capturing:
		return Decision{State: s, Finish: s.Open()}
	case Authorized, Voiding:
		return Decision{State: Voiding, Call: Void}
	case Declined:
		return Decision{State: Voided, Fact: PaymentVoided}
	case Captured, Refunding:
		return Decision{State: Refunding, Call: Refund}
	case Voided, Refunded, Tombstone:
	}
	return Decision{State: s}
}
