package contract

// Catalogue lists one zero value of every message type, facts first, in the order
// of an order's journey.
func Catalogue() []Payload {
	return append(Events(), Commands()...)
}

// Events lists one zero value of every message type that goes over Kafka.
func Events() []Payload {
	return []Payload{
		OrderPlacedEvent{},
		OrderConfirmedEvent{},
		OrderCancellationRequestedEvent{},
		OrderShippedEvent{},
		OrderCancelledEvent{},
		OrderSettledEvent{},
		StockReservedEvent{},
		StockRejectedEvent{},
		StockPickedEvent{},
		StockReleasedEvent{},
		StockReturnedEvent{},
		PaymentAuthorizedEvent{},
		PaymentDeclinedEvent{},
		PaymentCapturedEvent{},
		PaymentVoidedEvent{},
		PaymentRefundedEvent{},
		ShipmentDispatchedEvent{},
		ShipmentFailedEvent{},
		StockLevelChangedEvent{},
	}
}

// Commands lists one zero value of every message type that goes over RabbitMQ.
func Commands() []Payload {
	return []Payload{FulfilOrder{}, UndoOrder{}, CancelShipment{}, PrintLabel{}, OrderUpdated{}}
}

// Types returns the names of all message types.
func Types() []string { return typesOf(Catalogue()) }

// TypesOn returns the names of the message types that go to a topic or exchange.
func TypesOn(place string) []string {
	var on []Payload
	for _, p := range Catalogue() {
		if p.Address().Name == place {
			on = append(on, p)
		}
	}
	return typesOf(on)
}

func typesOf(payloads []Payload) []string {
	names := make([]string, len(payloads))
	for i, p := range payloads {
		names[i] = p.Type()
	}
	return names
}
