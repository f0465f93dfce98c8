// Package evidence gathers what everybody has to say about a run: the client's
// journal, the services' databases, the topics, and the statements of the payment
// provider and the carrier. It only reads.
package evidence

import "parley.sh/hack/load/journal"

// Money is an amount in the minor unit of its currency.
type Money struct {
	Minor    int64
	Currency string
}

// Item is a quantity of a product.
type Item struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity"`
}

// Order is an order's row.
type Order struct {
	ID             string
	Customer       string
	State          string
	Reason         string
	Settled        bool
	Version        int
	Amount         Money
	Items          []Item
	TrackingNumber string
}

// Change is a row of the timeline.
type Change struct {
	Version int
	Event   string
	Reason  string
}

// Key is a client's idempotency key.
type Key struct{ Customer, Key string }

// Product is a product's row.
type Product struct {
	Stock, OnHand, Reserved, Version int64
	Price                            Money
}

// Movement is a row of the movements of stock.
type Movement struct {
	ProductID, OrderID, Kind string
	OnHand, Reserved         int64
}

// Reservation is an order's row at inventory.
type Reservation struct {
	State string
	Items []Item
}

// Payment is an order's row at payment.
type Payment struct {
	State  string
	Amount Money
}

// Entry is one movement of the ledger.
type Entry struct {
	OrderID, Kind string
	Lines         []Line
}

// Line is one line of a movement.
type Line struct {
	Account string
	Amount  Money
}

// Shipment is an order's row at shipping.
type Shipment struct {
	State, TrackingNumber string
}

// Record is a message on a topic.
type Record struct {
	Partition int32
	Offset    int64
	Key       string
	ID        string
	Type      string
	Subject   string
	Data      []byte
}

// ProviderMovement is a line of the provider's statement.
type ProviderMovement struct {
	OrderID, Kind, Key string
	Amount             Money
}

// Parcel is a line of the carrier's statement.
type Parcel struct {
	OrderID, TrackingNumber string
}

// Evidence is all of it.
type Evidence struct {
	Journal []journal.Line

	Orders   map[string]Order
	Timeline map[string][]Change
	Keys     map[Key]string

	Products     map[string]Product
	Movements    []Movement
	Reservations map[string]Reservation

	Payments map[string]Payment
	Ledger   []Entry

	Shipments map[string]Shipment

	// Topics holds each topic's records, in the order of each partition.
	Topics map[string][]Record

	Provider []ProviderMovement
	Carrier  []Parcel

	// DeadLetters counts what lies in each dead-letter topic and queue.
	DeadLetters map[string]int
	// Refused counts what each service's outbox has set aside.
	Refused map[string]int
	// Unrest lists what was still under way when the time was up.
	Unrest []string
}
