package store

import (
	"context"
	"fmt"

	"parley.sh/services/contract"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

// Record implements payment.Tx: one entry, two lines that sum to zero. The entry
// is unique per intent, so a second one is an error and never a second movement.
func (t *tx) Record(ctx context.Context, e payment.Entry) error {
	_, err := t.Exec(ctx, `WITH entry AS (
			INSERT INTO ledger_entry (order_id, kind, at) VALUES ($1, $2, $3) RETURNING id)
		INSERT INTO ledger_line (entry_id, account, amount_minor, currency)
		SELECT id, $4, -$6::bigint, $7 FROM entry UNION ALL SELECT id, $5, $6::bigint, $7 FROM entry`,
		e.OrderID, e.Kind, t.store.now(), e.From, e.To, e.Amount.Minor, e.Amount.Currency)
	if err != nil {
		return fmt.Errorf("record to %s order %s: %w", e.Kind, e.OrderID, err)
	}
	return nil
}

// Announce implements payment.Tx.
func (t *tx) Announce(ctx context.Context, a payment.Announcement) error {
	p, err := payload(a)
	if err != nil {
		return err
	}
	m, err := contract.NewMessage(p, t.store.newID(), t.store.now())
	if err != nil {
		return err
	}
	if err := outbox.Add(ctx, t.Tx, m); err != nil {
		return fmt.Errorf("announce %s of order %s: %w", a.Fact, a.OrderID, err)
	}
	return nil
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
