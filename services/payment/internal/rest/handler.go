package rest

import (
	"context"

	"parley.sh/services/payment/client"
	"parley.sh/services/payment/internal/payment"
)

// Payments is where payments are read.
type Payments interface {
	// View returns the payment of an order and its ledger, NotFound or Unavailable.
	View(ctx context.Context, orderID string) (payment.View, error)
}

// Handler serves the API.
type Handler struct {
	Payments Payments
}

var _ StrictServerInterface = Handler{}

// GetPayment implements StrictServerInterface.
func (h Handler) GetPayment(ctx context.Context, r GetPaymentRequestObject) (GetPaymentResponseObject, error) {
	v, err := h.Payments.View(ctx, r.OrderId)
	if err != nil {
		return nil, err
	}
	return GetPayment200JSONResponse(toPayment(v)), nil
}

func toPayment(v payment.View) client.Payment {
	p := client.Payment{
		OrderId: v.OrderID, State: client.PaymentState(v.State), Ledger: make([]client.LedgerLine, len(v.Lines)),
	}
	if v.Amount.Currency != "" {
		amount := toMoney(v.Amount)
		p.Amount = &amount
	}
	for i, line := range v.Lines {
		p.Ledger[i] = client.LedgerLine{
			Movement: client.LedgerLineMovement(line.Kind), Account: client.LedgerLineAccount(line.Account),
			Amount: toMoney(line.Amount),
		}
	}
	return p
}

func toMoney(m payment.Money) client.Money {
	return client.Money{AmountMinor: m.Minor, Currency: m.Currency}
}
