package contract

import "parley.sh/services/kit/message"

// The services, as sources of messages.
const (
	Order     = "order"
	Inventory = "inventory"
	Payment   = "payment"
	Shipping  = "shipping"
)

// The Kafka topics.
const (
	TopicOrders    = "Orders"
	TopicInventory = "Inventory"
	TopicPayments  = "Payments"
	TopicShipments = "Shipments"
	TopicStock     = "Stock"
)

// The RabbitMQ exchanges.
const (
	OrderExchange    = "OrderExchange"
	ShippingExchange = "ShippingExchange"
	OrderUpdates     = "OrderUpdates"
)

// The RabbitMQ queues.
const (
	InventoryQueue     = "InventoryQueue"
	PaymentQueue       = "PaymentQueue"
	ShippingQueue      = "ShippingQueue"
	ExpressLabelQueue  = "ExpressLabelQueue"
	StandardLabelQueue = "StandardLabelQueue"
)

// The routing keys of OrderExchange. Those of ShippingExchange are the levels.
const (
	KeyConfirmed       = "order.confirmed"
	KeyCancelled       = "order.cancelled"
	KeyCancelRequested = "order.cancel-requested"
)

func topic(name string) message.Address {
	return message.Address{Broker: message.Kafka, Name: name}
}

func exchange(name, key string) message.Address {
	return message.Address{Broker: message.RabbitMQ, Name: name, RoutingKey: key}
}
