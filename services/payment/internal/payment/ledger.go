package payment

import "parley.sh/services/payment/machine"

// Account is one side of a movement of money.
type Account string

// The accounts. Over all of them an order's lines always sum to zero; when it is
// cancelled each account does.
const (
	// Customer is money of the customer's.
	Customer Account = "customer"
	// Held is money that the provider holds for us.
	Held Account = "held"
	// Revenue is money that we have taken.
	Revenue Account = "revenue"
)

// Entry is one movement of money: Amount leaves From and reaches To.
type Entry struct {
	OrderID string
	Kind    machine.Intent
	From    Account
	To      Account
	Amount  Money
}

// EntryOf returns the movement that a done intent makes.
func EntryOf(i Intent) Entry {
	e := Entry{OrderID: i.OrderID, Kind: i.Kind, Amount: i.Amount}
	switch i.Kind {
	case machine.Authorize:
		e.From, e.To = Customer, Held
	case machine.Capture:
		e.From, e.To = Held, Revenue
	case machine.Void:
		e.From, e.To = Held, Customer
	case machine.Refund:
		e.From, e.To = Revenue, Customer
	case machine.NoIntent:
	}
	return e
}

// Line is one side of an entry in the ledger.
type Line struct {
	Kind    machine.Intent
	Account Account
	Amount  Money
}

// Lines returns the two sides of the entry. They sum to zero.
func (e Entry) Lines() [2]Line {
	given := Money{Minor: -e.Amount.Minor, Currency: e.Amount.Currency}
	return [2]Line{{Kind: e.Kind, Account: e.From, Amount: given}, {Kind: e.Kind, Account: e.To, Amount: e.Amount}}
}

// View is a payment with its lines in the ledger, the oldest first, for reading.
type View struct {
	Payment
	Lines []Line
}
