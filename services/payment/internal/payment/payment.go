package payment

import (
	"github.com/google/uuid"

	"parley.sh/services/payment/machine"
)

// Money is an amount in the minor unit of its currency.
type Money struct {
	Minor    int64
	Currency string
}

// Payment is what the service knows of an order. A tombstone has no amount.
type Payment struct {
	OrderID string
	State   machine.State
	Amount  Money
	Token   string
	// ProviderRef is the authorization at the provider, once there is one.
	ProviderRef string
}

// Intent is one call to the provider.
type Intent struct {
	OrderID string
	Kind    machine.Intent
	// OrderVersion is that of the message that opened it.
	OrderVersion int
	Amount       Money
	Token        string
	ProviderRef  string
}

// intent returns the intent of a kind that a message of that order version opens.
func (p Payment) intent(kind machine.Intent, version int) Intent {
	return Intent{
		OrderID: p.OrderID, Kind: kind, OrderVersion: version,
		Amount: p.Amount, Token: p.Token, ProviderRef: p.ProviderRef,
	}
}

// Opened returns the intent that the payment's state says is open, as a message of
// that order version opened it.
func (p Payment) Opened(version int) Intent { return p.intent(p.State.Open(), version) }

// namespace makes the ids of intents: it must never change.
var namespace = uuid.MustParse("5b0c6d5e-6a8e-4a4e-9f5b-7d1d2c9a3e10")

// ID is the idempotency key of the intent's call: the same for every attempt.
func (i Intent) ID() string {
	return uuid.NewSHA1(namespace, []byte(i.OrderID+"/"+string(i.Kind))).String()
}

// Result is a definite answer to an intent.
type Result struct {
	Answer machine.Answer
	// ProviderRef is set by an authorization.
	ProviderRef string
}

// Announcement is a fact about an order. Amount is nil when nothing was held.
type Announcement struct {
	Fact         machine.Fact
	OrderID      string
	OrderVersion int
	Amount       *Money
	ProviderRef  string
}

// Change is what a message or an answer makes of a payment: how it stands now, the
// movement of money if there is one, and the fact that is published with it.
type Change struct {
	Payment      Payment
	Entry        *Entry
	Announcement Announcement
}
