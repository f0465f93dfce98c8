package machine

// Answer is a definite answer of the provider. An unknown outcome is no answer:
// the same call is made again under the same id.
type Answer string

// The definite answers. A void or a refund that was done already is Done.
const (
	Done    Answer = "done"
	Refused Answer = "refused"
)

// OnResult records the answer to an intent. It changes nothing unless that very
// intent is still open: a stalled handler must not overwrite a later state. A
// refusal of anything but an authorization is not in the protocol: the intent
// stays open and somebody is alerted.
func OnResult(s State, i Intent, a Answer) (Decision, error) {
	if i == NoIntent || s.Open() != i {
		return Decision{State: s}, nil
	}
	if a == Refused && i != Authorize {
		return Decision{}, &RefusedError{Intent: i}
	}
	switch i {
	case Authorize:
		if a == Refused {
			return Decision{State: Declined, Fact: PaymentDeclined}, nil
		}
		return Decision{State: Authorized, Fact: PaymentAuthorized}, nil
	case Capture:
		return Decision{State: Captured, Fact: PaymentCaptured}, nil
	case Void:
		return Decision{State: Voided, Fact: PaymentVoided}, nil
	case Refund:
		return Decision{State: Refunded, Fact: PaymentRefunded}, nil
	case NoIntent:
	}
	return Decision{State: s}, nil
}

// RefusedError is a provider that refuses for good what it owes: a capture, a void
// or a refund. A human must look; the intent stays open.
type RefusedError struct{ Intent Intent }

// Error implements error.
func (e *RefusedError) Error() string { return "the provider refuses to " + string(e.Intent) }
