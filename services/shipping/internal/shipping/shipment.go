package shipping

import (
	"github.com/google/uuid"

	"parley.sh/services/shipping/machine"
)

// Shipment is what the service knows of an order. A tombstone has no address.
type Shipment struct {
	OrderID string
	// OrderVersion is that of the message that asked for the shipment.
	OrderVersion   int
	State          machine.State
	Level          string
	Address        string
	TrackingNumber string
}

// namespace makes the ids of label intents: it must never change.
var namespace = uuid.MustParse("c1f0a6be-3a59-4b0c-8f0e-5f2f6f1d7a42")

// LabelID is the idempotency key of the carrier's call: the same for every attempt.
func (s Shipment) LabelID() string {
	return uuid.NewSHA1(namespace, []byte(s.OrderID+"/label")).String()
}

// Result is the carrier's definite answer.
type Result struct {
	Answer         machine.Answer
	TrackingNumber string
}

// Change is what a message or an answer makes of a shipment: how it stands now, and
// what is sent with it.
type Change struct {
	Shipment Shipment
	// Print sends PrintLabel.
	Print bool
	// Fact is published unless it is machine.Silence.
	Fact machine.Fact
}
