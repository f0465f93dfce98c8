package store

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

// queueEntry adds to batch one entry of the ledger and its two lines. The entry is
// unique per intent, so a second one is an error and never a second movement.
func (t *tx) queueEntry(batch *pgx.Batch, e payment.Entry) {
	from, to := e.Lines()[0], e.Lines()[1]
	batch.Queue(`WITH entry AS (
			INSERT INTO ledger_entry (order_id, kind, at) VALUES ($1, $2, $3) RETURNING id)
		INSERT INTO ledger_line (entry_id, account, amount_minor, currency)
		SELECT id, account, amount_minor, $8
		FROM entry, (VALUES ($4::text, $5::bigint), ($6::text, $7::bigint)) AS line (account, amount_minor)`,
		e.OrderID, e.Kind, t.store.now(), from.Account, from.Amount.Minor, to.Account, to.Amount.Minor, e.Amount.Currency)
}

const selectLines = `SELECT e.kind, l.account, l.amount_minor, l.currency
	FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id
	WHERE e.order_id = $1 ORDER BY e.id, l.amount_minor`

func scanLine(row pgx.CollectableRow) (payment.Line, error) {
	var l payment.Line
	err := row.Scan(&l.Kind, &l.Account, &l.Amount.Minor, &l.Amount.Currency)
	return l, err
}

// announcement returns the message that publishes a fact.
func (t *tx) announcement(a payment.Announcement) (message.Message, error) {
	p, err := payload(a)
	if err != nil {
		return message.Message{}, err
	}
	return contract.NewMessage(p, t.store.newID(), t.store.now())
}

func payload(a payment.Announcement) (contract.Payload, error) {
	id, version, amount := a.OrderID, a.OrderVersion, money(a.Amount)
	if a.Fact == machine.PaymentVoided {
		return contract.PaymentVoidedEvent{OrderID: id, OrderVersion: version, Amount: amount}, nil
	}
	if amount == nil {
		return nil, fmt.Errorf("%s of order %s has no amount", a.Fact, id)
	}
	switch a.Fact {
	case machine.PaymentAuthorized:
		return contract.PaymentAuthorizedEvent{OrderID: id, OrderVersion: version, Amount: *amount, ProviderRef: a.ProviderRef}, nil
	case machine.PaymentDeclined:
		return contract.PaymentDeclinedEvent{OrderID: id, OrderVersion: version, Amount: *amount}, nil
	case machine.PaymentCaptured:
		return contract.PaymentCapturedEvent{OrderID: id, OrderVersion: version, Amount: *amount, ProviderRef: a.ProviderRef}, nil
	case machine.PaymentRefunded:
		return contract.PaymentRefundedEvent{OrderID: id, OrderVersion: version, Amount: *amount}, nil
	case machine.Silence, machine.PaymentVoided:
	}
	return nil, fmt.Errorf("order %s changed its state without a fact", id)
}

func money(m *payment.Money) *contract.Money {
	if m == nil {
		return nil
	}
	return &contract.Money{AmountMinor: m.Minor, Currency: m.Currency}
}
