package machine

// OnStock decides about a fact of inventory.
func OnStock(o Order, fact Stock) (Decision, error) {
	if fact <= o.Stock {
		return Decision{Order: o}, nil
	}
	if !stockReachable(o.State, fact) {
		return Decision{}, &UnreachableError{o.State, stockNames[fact]}
	}
	o.Stock = fact
	if o.State == Placed && fact == StockRejected {
		return cancelPlaced(o, OutOfStock), nil
	}
	return confirmIfReady(o), nil
}

// OnMoney decides about a fact of payment.
func OnMoney(o Order, fact Money) (Decision, error) {
	if fact <= o.Money {
		return Decision{Order: o}, nil
	}
	if !moneyReachable(o.State, fact) {
		return Decision{}, &UnreachableError{o.State, moneyNames[fact]}
	}
	o.Money = fact
	if o.State == Placed && fact == MoneyDeclined {
		return cancelPlaced(o, PaymentDeclined), nil
	}
	return confirmIfReady(o), nil
}

// stockReachable holds the rows of the protocol's table: what inventory can say
// to an order in state s, beside what it has said before.
func stockReachable(s State, fact Stock) bool {
	switch s {
	case Placed:
		return fact == StockReserved || fact == StockRejected
	case Confirmed, Cancelling, Shipped:
		return fact == StockPicked
	case Cancelled:
		return true
	}
	return false
}

func moneyReachable(s State, fact Money) bool {
	switch s {
	case Placed:
		return fact == MoneyAuthorized || fact == MoneyDeclined
	case Confirmed, Cancelling, Shipped:
		return fact == MoneyCaptured
	case Cancelled:
		return true
	}
	return false
}

// confirmIfReady confirms a placed order that has both, and records a leg else.
func confirmIfReady(o Order) Decision {
	if o.State == Placed && o.Stock == StockReserved && o.Money == MoneyAuthorized {
		o.State = Confirmed
		return emit(o, FulfilOrder, EventConfirmed)
	}
	return settle(Decision{Order: o})
}

// OnDispatched decides about ShipmentDispatched: the order is shipped, whatever
// was asked for meanwhile.
func OnDispatched(o Order) (Decision, error) {
	if o.Parcel == ParcelDispatched {
		return Decision{Order: o}, nil
	}
	if o.State != Confirmed && o.State != Cancelling {
		return Decision{}, &UnreachableError{o.State, "ShipmentDispatchedEvent"}
	}
	o.State, o.Parcel, o.Reason = Shipped, ParcelDispatched, ""
	return emit(o, NoWork, EventShipped), nil
}

// Failure says why shipping made no parcel.
type Failure string

// The failures, as on the wire.
const (
	FailedCarrier   Failure = "carrier"
	FailedCancelled Failure = "cancelled"
)

// OnShipmentFailed decides about ShipmentFailed. In cancelling either failure ends
// the order and the reason of the request stays; a confirmed order can only hear
// that the carrier refused.
func OnShipmentFailed(o Order, why Failure) (Decision, error) {
	if o.Parcel == ParcelFailed {
		return Decision{Order: o}, nil
	}
	switch {
	case o.State == Confirmed && why == FailedCarrier:
		o.Reason = ShippingFailed
	case o.State == Cancelling && (why == FailedCarrier || why == FailedCancelled):
	default:
		return Decision{}, &UnreachableError{o.State, "ShipmentFailedEvent{" + string(why) + "}"}
	}
	o.State, o.Parcel = Cancelled, ParcelFailed
	return emit(o, UndoOrder, EventCancelled), nil
}

func cancelPlaced(o Order, why Reason) Decision {
	o.State, o.Reason = Cancelled, why
	return emit(o, UndoOrder, EventCancelled)
}

var stockNames = map[Stock]string{
	StockReserved: "StockReservedEvent", StockRejected: "StockRejectedEvent", StockPicked: "StockPickedEvent",
	StockReleased: "StockReleasedEvent", StockReturned: "StockReturnedEvent",
}

var moneyNames = map[Money]string{
	MoneyAuthorized: "PaymentAuthorizedEvent", MoneyDeclined: "PaymentDeclinedEvent",
	MoneyCaptured: "PaymentCapturedEvent", MoneyVoided: "PaymentVoidedEvent", MoneyRefunded: "PaymentRefundedEvent",
}
