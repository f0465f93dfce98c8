package contract

import "parley.sh/services/kit/message"

// FulfilOrder asks inventory to pick, payment to capture and shipping to ship.
type FulfilOrder struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What is meant, at most one entry a product.
	Items []Item `json:"items" jsonschema:"minItems=1,maxItems=100"`
	// The amount.
	Amount Money `json:"amount"`
	// The level of shipping.
	Level string `json:"level" jsonschema:"enum=express,enum=standard"`
	// Where the parcel goes, as the customer wrote it.
	ShipTo string `json:"address" jsonschema:"maxLength=500"`
}

// Type implements Payload.
func (FulfilOrder) Type() string { return "FulfilOrder" }

// Subject implements Payload.
func (c FulfilOrder) Subject() string { return c.OrderID }

// Address implements Payload.
func (FulfilOrder) Address() message.Address { return exchange(OrderExchange, KeyConfirmed) }

// Source implements Payload.
func (FulfilOrder) Source() string { return Order }

// UndoOrder asks inventory and payment to undo what they did for a cancelled order.
type UndoOrder struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// Why.
	Reason string `json:"reason" jsonschema:"enum=out_of_stock,enum=payment_declined,enum=shipping_failed,enum=timed_out,enum=customer_request"`
}

// Type implements Payload.
func (UndoOrder) Type() string { return "UndoOrder" }

// Subject implements Payload.
func (c UndoOrder) Subject() string { return c.OrderID }

// Address implements Payload.
func (UndoOrder) Address() message.Address { return exchange(OrderExchange, KeyCancelled) }

// Source implements Payload.
func (UndoOrder) Source() string { return Order }

// CancelShipment asks shipping to stop if the label has not begun.
type CancelShipment struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// Why.
	Reason string `json:"reason" jsonschema:"enum=out_of_stock,enum=payment_declined,enum=shipping_failed,enum=timed_out,enum=customer_request"`
}

// Type implements Payload.
func (CancelShipment) Type() string { return "CancelShipment" }

// Subject implements Payload.
func (c CancelShipment) Subject() string { return c.OrderID }

// Address implements Payload.
func (CancelShipment) Address() message.Address { return exchange(OrderExchange, KeyCancelRequested) }

// Source implements Payload.
func (CancelShipment) Source() string { return Order }

// PrintLabel asks the label worker of a level to get a label from the carrier.
type PrintLabel struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The level of shipping.
	Level string `json:"level" jsonschema:"enum=express,enum=standard"`
	// Where the parcel goes, as the customer wrote it.
	ShipTo string `json:"address" jsonschema:"maxLength=500"`
}

// Type implements Payload.
func (PrintLabel) Type() string { return "PrintLabel" }

// Subject implements Payload.
func (c PrintLabel) Subject() string { return c.OrderID }

// Address implements Payload.
func (c PrintLabel) Address() message.Address { return exchange(ShippingExchange, c.Level) }

// Source implements Payload.
func (PrintLabel) Source() string { return Shipping }

// OrderUpdated hints that an order has a new version. It may be lost: whoever needs the change reads it.
type OrderUpdated struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order after this event, from 1.
	Version int `json:"version" jsonschema:"minimum=1"`
}

// Type implements Payload.
func (OrderUpdated) Type() string { return "OrderUpdated" }

// Subject implements Payload.
func (c OrderUpdated) Subject() string { return c.OrderID }

// Address implements Payload.
func (OrderUpdated) Address() message.Address { return exchange(OrderUpdates, "") }

// Source implements Payload.
func (OrderUpdated) Source() string { return Order }
