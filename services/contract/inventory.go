package contract

import "parley.sh/services/kit/message"

// StockReservedEvent says that all items of an order are set aside.
type StockReservedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What is meant, at most one entry a product.
	Items []Item `json:"items" jsonschema:"minItems=1,maxItems=100"`
}

// Type implements Payload.
func (StockReservedEvent) Type() string { return "StockReservedEvent" }

// Subject implements Payload.
func (e StockReservedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (StockReservedEvent) Address() message.Address { return topic(TopicInventory) }

// Source implements Payload.
func (StockReservedEvent) Source() string { return Inventory }

// StockRejectedEvent says that some item was not there, and none was set aside.
type StockRejectedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What was missing.
	Shortages []Shortage `json:"shortages" jsonschema:"minItems=1,maxItems=100"`
}

// Type implements Payload.
func (StockRejectedEvent) Type() string { return "StockRejectedEvent" }

// Subject implements Payload.
func (e StockRejectedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (StockRejectedEvent) Address() message.Address { return topic(TopicInventory) }

// Source implements Payload.
func (StockRejectedEvent) Source() string { return Inventory }

// StockPickedEvent says that the reserved items left the shelf.
type StockPickedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What is meant, at most one entry a product.
	Items []Item `json:"items" jsonschema:"minItems=1,maxItems=100"`
}

// Type implements Payload.
func (StockPickedEvent) Type() string { return "StockPickedEvent" }

// Subject implements Payload.
func (e StockPickedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (StockPickedEvent) Address() message.Address { return topic(TopicInventory) }

// Source implements Payload.
func (StockPickedEvent) Source() string { return Inventory }

// StockReleasedEvent closes a cancelled order: what was reserved, if anything, is free again.
type StockReleasedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What was given back; empty if nothing was held.
	Items []Item `json:"items,omitempty" jsonschema:"maxItems=100"`
}

// Type implements Payload.
func (StockReleasedEvent) Type() string { return "StockReleasedEvent" }

// Subject implements Payload.
func (e StockReleasedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (StockReleasedEvent) Address() message.Address { return topic(TopicInventory) }

// Source implements Payload.
func (StockReleasedEvent) Source() string { return Inventory }

// StockReturnedEvent closes a cancelled order: what was picked is back on the shelf.
type StockReturnedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// What is meant, at most one entry a product.
	Items []Item `json:"items" jsonschema:"minItems=1,maxItems=100"`
}

// Type implements Payload.
func (StockReturnedEvent) Type() string { return "StockReturnedEvent" }

// Subject implements Payload.
func (e StockReturnedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (StockReturnedEvent) Address() message.Address { return topic(TopicInventory) }

// Source implements Payload.
func (StockReturnedEvent) Source() string { return Inventory }

// StockLevelChangedEvent says what can be ordered of a product now. The topic is compacted: the last one is the level.
type StockLevelChangedEvent struct {
	// The product.
	ProductID string `json:"productId" jsonschema:"minLength=1,maxLength=64,pattern=^[A-Za-z0-9._-]+$"`
	// Rises by one with every change of the level; readers ignore an older one.
	Version int64 `json:"version" jsonschema:"minimum=1"`
	// How many can be ordered.
	Stock int64 `json:"stock" jsonschema:"minimum=0"`
	// The price of one.
	Price Money `json:"price"`
}

// Type implements Payload.
func (StockLevelChangedEvent) Type() string { return "StockLevelChangedEvent" }

// Subject implements Payload.
func (e StockLevelChangedEvent) Subject() string { return e.ProductID }

// Address implements Payload.
func (StockLevelChangedEvent) Address() message.Address { return topic(TopicStock) }

// Source implements Payload.
func (StockLevelChangedEvent) Source() string { return Inventory }
