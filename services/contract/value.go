package contract

// Money is an amount in the minor unit of its currency.
type Money struct {
	// Amount in the minor unit, such as cents.
	AmountMinor int64 `json:"amountMinor" jsonschema:"minimum=0,maximum=9007199254740991"`
	// ISO 4217 code.
	Currency string `json:"currency" jsonschema:"pattern=^[A-Z]{3}$"`
}

// Item is a quantity of a product.
type Item struct {
	// The product.
	ProductID string `json:"productId" jsonschema:"minLength=1,maxLength=64,pattern=^[A-Za-z0-9._-]+$"`
	// How many.
	Quantity int64 `json:"quantity" jsonschema:"minimum=1,maximum=1000000"`
}

// Shortage is a product of which there was too little.
type Shortage struct {
	// The product.
	ProductID string `json:"productId" jsonschema:"minLength=1,maxLength=64,pattern=^[A-Za-z0-9._-]+$"`
	// How many were asked for.
	Requested int64 `json:"requested" jsonschema:"minimum=1"`
	// How many there were.
	Available int64 `json:"available" jsonschema:"minimum=0"`
}

// The levels of shipping; each is a routing key of the shipping exchange.
const (
	LevelExpress  = "express"
	LevelStandard = "standard"
)

// The reasons why an order is cancelled.
const (
	ReasonOutOfStock      = "out_of_stock"
	ReasonPaymentDeclined = "payment_declined"
	ReasonShippingFailed  = "shipping_failed"
	ReasonTimedOut        = "timed_out"
	ReasonCustomerRequest = "customer_request"
)

// The reasons why a shipment failed.
const (
	FailedCarrier   = "carrier"
	FailedCancelled = "cancelled"
)
