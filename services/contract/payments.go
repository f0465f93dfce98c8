package contract

import "parley.sh/services/kit/message"

// PaymentAuthorizedEvent says that the provider holds the amount.
type PaymentAuthorizedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The amount.
	Amount Money `json:"amount"`
	// The payment at the provider.
	ProviderRef string `json:"providerRef,omitempty" jsonschema:"maxLength=128"`
}

// Type implements Payload.
func (PaymentAuthorizedEvent) Type() string { return "PaymentAuthorizedEvent" }

// Subject implements Payload.
func (e PaymentAuthorizedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (PaymentAuthorizedEvent) Address() message.Address { return topic(TopicPayments) }

// Source implements Payload.
func (PaymentAuthorizedEvent) Source() string { return Payment }

// PaymentDeclinedEvent says that the provider refused for good.
type PaymentDeclinedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The amount.
	Amount Money `json:"amount"`
}

// Type implements Payload.
func (PaymentDeclinedEvent) Type() string { return "PaymentDeclinedEvent" }

// Subject implements Payload.
func (e PaymentDeclinedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (PaymentDeclinedEvent) Address() message.Address { return topic(TopicPayments) }

// Source implements Payload.
func (PaymentDeclinedEvent) Source() string { return Payment }

// PaymentCapturedEvent says that the held amount was taken.
type PaymentCapturedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The amount.
	Amount Money `json:"amount"`
	// The payment at the provider.
	ProviderRef string `json:"providerRef,omitempty" jsonschema:"maxLength=128"`
}

// Type implements Payload.
func (PaymentCapturedEvent) Type() string { return "PaymentCapturedEvent" }

// Subject implements Payload.
func (e PaymentCapturedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (PaymentCapturedEvent) Address() message.Address { return topic(TopicPayments) }

// Source implements Payload.
func (PaymentCapturedEvent) Source() string { return Payment }

// PaymentVoidedEvent closes a cancelled order: no amount is held.
type PaymentVoidedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The amount given back; absent if nothing was held.
	Amount *Money `json:"amount,omitempty"`
}

// Type implements Payload.
func (PaymentVoidedEvent) Type() string { return "PaymentVoidedEvent" }

// Subject implements Payload.
func (e PaymentVoidedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (PaymentVoidedEvent) Address() message.Address { return topic(TopicPayments) }

// Source implements Payload.
func (PaymentVoidedEvent) Source() string { return Payment }

// PaymentRefundedEvent closes a cancelled order: what was taken is given back.
type PaymentRefundedEvent struct {
	// The order.
	OrderID string `json:"orderId" jsonschema:"pattern=^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	// The version of the order in the message that caused this one.
	OrderVersion int `json:"orderVersion" jsonschema:"minimum=1"`
	// The amount.
	Amount Money `json:"amount"`
}

// Type implements Payload.
func (PaymentRefundedEvent) Type() string { return "PaymentRefundedEvent" }

// Subject implements Payload.
func (e PaymentRefundedEvent) Subject() string { return e.OrderID }

// Address implements Payload.
func (PaymentRefundedEvent) Address() message.Address { return topic(TopicPayments) }

// Source implements Payload.
func (PaymentRefundedEvent) Source() string { return Payment }
