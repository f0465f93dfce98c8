package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// outcome is how an attempt ended.
type outcome uint8

const (
	// answered: a status below 400.
	answered outcome = iota
	// refused: a definite 4xx.
	refused
	// busy: 408, 425, 429: the target lives and does not want the request now.
	busy
	// broken: a 5xx.
	broken
	// unsupported: 501 or 505, a 5xx that no repetition changes.
	unsupported
	// timedOut: no answer in time.
	timedOut
	// unreachable: the connection could not be made or was lost.
	unreachable
	// canceled: the caller, or the winner of a hedge, ended it.
	canceled
	// open: the circuit breaker let nothing through.
	open
	// full: the bulkhead had no room in time.
	full
	// late: the deadline had passed before the attempt could be made.
	late
	// unsendable: the request itself is at fault.
	unsendable

	outcomes
)

var outcomeNames = [outcomes]string{
	answered: "answered", refused: "refused", busy: "busy", broken: "broken", unsupported: "unsupported",
	timedOut: "timeout", unreachable: "unreachable", canceled: "canceled", open: "breaker_open",
	full: "bulkhead_full", late: "deadline", unsendable: "unsendable",
}

// String returns the name of o in metrics.
func (o outcome) String() string { return outcomeNames[o] }

// again reports whether the same request may do better.
func (o outcome) again() bool { return o == busy || o.failed() }

// failed reports whether the target showed that it does not work.
func (o outcome) failed() bool { return o == broken || o == timedOut || o == unreachable }

// ofStatus reads a status.
func ofStatus(status int) outcome {
	switch {
	case status < 400:
		return answered
	case status == http.StatusNotImplemented, status == http.StatusHTTPVersionNotSupported:
		return unsupported
	case status >= 500:
		return broken
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
		return busy
	}
	return refused
}

// errTimeout is the cause of an attempt's context that ran out.
var errTimeout = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// errLost is the cause of the context of a hedged attempt that another one beat.
var errLost = errors.New("another attempt answered first")

// ofError reads the error of an attempt by the cause of its context, which says more.
func ofError(ctx context.Context, err error) outcome {
	switch cause := context.Cause(ctx); {
	case cause == nil && errors.Is(err, errUnsendable):
		return unsendable
	case cause == nil:
		return unreachable
	case errors.Is(cause, context.DeadlineExceeded):
		return timedOut
	}
	return canceled
}
