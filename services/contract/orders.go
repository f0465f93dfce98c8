package contract

import "parley.sh/services/kit/message"

// OrderPlacedEvent says that an order was accepted.
type OrderPlacedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
	// Who ordered.
	CustomerID string `json:"customerId" jsonschema:"minLength=1,maxLength=64"`
	// What is meant, at most one entry a product.
	Items []Item `json:"items" jsonschema:"minItems=1,maxItems=100"`
	// The total.
	Amount Money `json:"amount"`
	// The means of payment, as the provider knows it.
	Token string `json:"token" jsonschema:"minLength=1,maxLength=128"`
	// The level of shipping.
	Level string `json:"level" jsonschema:"enum=express,enum=standard"`
	// Where the parcel goes, as the customer wrote it.
	ShipTo string `json:"address" jsonschema:"maxLength=500"`
}

// Type implements Payload.
func (OrderPlacedEvent) Type() string { return "OrderPlacedEvent" }

// Subject implements Payload.
func (e OrderPlacedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderPlacedEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderPlacedEvent) Source() string { return Order }

// OrderConfirmedEvent says that stock is reserved and the payment authorized.
type OrderConfirmedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
}

// Type implements Payload.
func (OrderConfirmedEvent) Type() string { return "OrderConfirmedEvent" }

// Subject implements Payload.
func (e OrderConfirmedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderConfirmedEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderConfirmedEvent) Source() string { return Order }

// OrderCancellationRequestedEvent says that a confirmed order is to be cancelled if shipping has not begun.
type OrderCancellationRequestedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
	// Why.
	Reason string `json:"reason" jsonschema:"enum=out_of_stock,enum=payment_declined,enum=shipping_failed,enum=timed_out,enum=customer_request"`
}

// Type implements Payload.
func (OrderCancellationRequestedEvent) Type() string { return "OrderCancellationRequestedEvent" }

// Subject implements Payload.
func (e OrderCancellationRequestedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderCancellationRequestedEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderCancellationRequestedEvent) Source() string { return Order }

// OrderShippedEvent says that the carrier has the parcel: the order cannot be cancelled any more.
type OrderShippedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
	// The parcel at the carrier.
	TrackingNumber string `json:"trackingNumber" jsonschema:"minLength=1,maxLength=128"`
}

// Type implements Payload.
func (OrderShippedEvent) Type() string { return "OrderShippedEvent" }

// Subject implements Payload.
func (e OrderShippedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderShippedEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderShippedEvent) Source() string { return Order }

// OrderCancelledEvent says that the order ended without a parcel.
type OrderCancelledEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
	// Why.
	Reason string `json:"reason" jsonschema:"enum=out_of_stock,enum=payment_declined,enum=shipping_failed,enum=timed_out,enum=customer_request"`
}

// Type implements Payload.
func (OrderCancelledEvent) Type() string { return "OrderCancelledEvent" }

// Subject implements Payload.
func (e OrderCancelledEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderCancelledEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderCancelledEvent) Source() string { return Order }

// OrderSettledEvent says that every leg of the order has closed.
type OrderSettledEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
}

// Type implements Payload.
func (OrderSettledEvent) Type() string { return "OrderSettledEvent" }

// Subject implements Payload.
func (e OrderSettledEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (OrderSettledEvent) Address() message.Address { return topic(TopicOrders) }

// Source implements Payload.
func (OrderSettledEvent) Source() string { return Order }
