package payment_test

import (
	"testing"

	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
)

// The ids of intents are what the provider knows them by: they never change, not
// from one version of this service to the next.
func TestIntentIDs(t *testing.T) {
	t.Parallel()
	for kind, want := range map[machine.Intent]string{
		machine.Authorize: "8a845560-36bc-5f89-af5f-f17ad370a6bd",
		machine.Capture:   "faacf208-5cdb-5fef-8955-87326188625e",
		machine.Void:      "0d0edbee-2153-5e3b-b58a-17e8f6ba1820",
		machine.Refund:    "7546772e-94d4-5bc9-88de-653951496df5",
	} {
		first := payment.Intent{OrderID: orderID, Kind: kind, OrderVersion: 1}
		later := payment.Intent{OrderID: orderID, Kind: kind, OrderVersion: 9, Amount: storetest.Amount, Token: "t", ProviderRef: "r"}
		same(t, string(kind), want, first.ID())
		same(t, string(kind)+", later", want, later.ID())
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	minus := payment.Money{Minor: -storetest.Amount.Minor, Currency: storetest.Amount.Currency}
	for kind, accounts := range map[machine.Intent][2]payment.Account{
		machine.Authorize: {payment.Customer, payment.Held},
		machine.Capture:   {payment.Held, payment.Revenue},
		machine.Void:      {payment.Held, payment.Customer},
		machine.Refund:    {payment.Revenue, payment.Customer},
	} {
		e := payment.EntryOf(payment.Intent{OrderID: orderID, Kind: kind, Amount: storetest.Amount})
		same(t, string(kind), [2]payment.Line{
			{Kind: kind, Account: accounts[0], Amount: minus}, {Kind: kind, Account: accounts[1], Amount: storetest.Amount},
		}, e.Lines())
	}
}
