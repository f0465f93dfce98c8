package fault

import "net/http"

// Delivery is what a consumer does with a message whose handler failed.
type Delivery uint8

// The four ends of a failed delivery.
const (
	// Retry tries again with backoff and spends an attempt.
	Retry Delivery = iota
	// DeadLetter sets the message aside at once.
	DeadLetter
	// Acknowledge treats the message as done.
	Acknowledge
	// Hold keeps the message and backs off; it spends no attempt.
	Hold
)

// Outcome is what a reconciler does with a failure.
type Outcome uint8

// The three ends of a failed reconciliation.
const (
	// Backoff tries again with growing pauses.
	Backoff Outcome = iota
	// Stall waits for a human or a change of the object.
	Stall
	// Requeue tries again without a word.
	Requeue
)

// Consequence is what a Kind means at each edge of a process.
type Consequence struct {
	Status   int
	Title    string
	Delivery Delivery
	Outcome  Outcome
}

// Of returns the consequence of k; of an unknown kind, that of Internal.
func Of(k Kind) Consequence {
	switch k {
	case Invalid:
		return Consequence{http.StatusBadRequest, "Bad Request", DeadLetter, Stall}
	case NotFound:
		return Consequence{http.StatusNotFound, "Not Found", Retry, Backoff}
	case Conflict:
		return Consequence{http.StatusConflict, "Conflict", Acknowledge, Requeue}
	case Unavailable:
		return Consequence{http.StatusServiceUnavailable, "Service Unavailable", Hold, Backoff}
	case Internal:
	}
	return Consequence{http.StatusInternalServerError, "Internal Server Error", Retry, Backoff}
}
