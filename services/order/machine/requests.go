package machine

import "errors"

// ErrShipped answers a cancellation that came after the point of no return.
var ErrShipped = errors.New("the order has been shipped")

// OnCancel decides about a customer's request. A placed order is cancelled at
// once; a confirmed one asks shipping first. Repeats change nothing.
func OnCancel(o Order) (Decision, error) {
	switch o.State {
	case Placed:
		return cancelPlaced(o, CustomerRequest), nil
	case Confirmed:
		return requestCancellation(o, CustomerRequest), nil
	case Shipped:
		return Decision{}, ErrShipped
	case Cancelling, Cancelled:
	}
	return Decision{Order: o}, nil
}

// OnDeadline decides what happens when the time for an order is up. A cancelling
// order is not forced: its label may have begun, so shipping is asked again.
func OnDeadline(o Order) Decision {
	switch o.State {
	case Placed:
		return cancelPlaced(o, TimedOut)
	case Confirmed:
		return requestCancellation(o, TimedOut)
	case Cancelling:
		return Decision{Order: o, Work: CancelShipment, Alert: true}
	case Shipped, Cancelled:
	}
	return Decision{Order: o}
}

func requestCancellation(o Order, why Reason) Decision {
	o.State, o.Reason = Cancelling, why
	return emit(o, CancelShipment, EventCancellationRequested)
}

// AskAgain lists the work whose leg has not closed. It is sent under new message
// ids: the first may have been lost, and every participant takes a repeat.
func AskAgain(o Order) []Work {
	if o.Settled {
		return nil
	}
	switch o.State {
	case Confirmed, Shipped:
		return []Work{FulfilOrder}
	case Cancelling:
		return []Work{FulfilOrder, CancelShipment}
	case Cancelled:
		return []Work{UndoOrder}
	case Placed:
	}
	return nil
}
