package contract

import "parley.sh/services/kit/message"

// ShipmentDispatchedEvent says that the carrier took the parcel.
type ShipmentDispatchedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The parcel at the carrier.
	TrackingNumber string `json:"trackingNumber" jsonschema:"minLength=1,maxLength=128"`
	// The level of shipping.
	Level string `json:"level" jsonschema:"enum=express,enum=standard"`
}

// Type implements Payload.
func (ShipmentDispatchedEvent) Type() string { return "ShipmentDispatchedEvent" }

// Subject implements Payload.
func (e ShipmentDispatchedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (ShipmentDispatchedEvent) Address() message.Address { return topic(TopicShipments) }

// Source implements Payload.
func (ShipmentDispatchedEvent) Source() string { return Shipping }

// ShipmentFailedEvent says that there is no parcel and will be none.
type ShipmentFailedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// carrier: it refused; cancelled: a cancellation came first.
	Reason string `json:"reason" jsonschema:"enum=carrier,enum=cancelled"`
}

// Type implements Payload.
func (ShipmentFailedEvent) Type() string { return "ShipmentFailedEvent" }

// Subject implements Payload.
func (e ShipmentFailedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (ShipmentFailedEvent) Address() message.Address { return topic(TopicShipments) }

// Source implements Payload.
func (ShipmentFailedEvent) Source() string { return Shipping }
