package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

const columns = `order_id, state, amount_minor, currency, token, provider_ref`

func scan(row pgx.Row) (payment.Payment, error) {
	var p payment.Payment
	err := row.Scan(&p.OrderID, &p.State, &p.Amount.Minor, &p.Amount.Currency, &p.Token, &p.ProviderRef)
	return p, err
}

// Payment implements payment.Tx. The row is made before it is locked: a lock on a
// row that is not there locks nothing.
func (t *tx) Payment(ctx context.Context, orderID string) (payment.Payment, error) {
	var p payment.Payment
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO payment (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT `+columns+` FROM payment WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) (err error) { p, err = scan(row); return err })
	if err := t.SendBatch(ctx, batch).Close(); err != nil {
		return p, fmt.Errorf("lock order %s: %w", orderID, err)
	}
	return p, nil
}

// Save implements payment.Tx.
func (t *tx) Save(ctx context.Context, p payment.Payment) error {
	_, err := t.Exec(ctx, `UPDATE payment SET state = $2, amount_minor = $3, currency = $4, token = $5,
		provider_ref = $6, updated_at = $7 WHERE order_id = $1`,
		p.OrderID, p.State, p.Amount.Minor, p.Amount.Currency, p.Token, p.ProviderRef, t.store.now())
	if err != nil {
		return fmt.Errorf("save order %s: %w", p.OrderID, err)
	}
	return nil
}

// Open implements payment.Tx.
func (t *tx) Open(ctx context.Context, i payment.Intent) (payment.Intent, error) {
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO intent (order_id, kind, order_version, opened_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, i.OrderID, i.Kind, i.OrderVersion, t.store.now())
	batch.Queue(`SELECT order_version FROM intent WHERE order_id = $1 AND kind = $2`, i.OrderID, i.Kind).
		QueryRow(func(row pgx.Row) error { return row.Scan(&i.OrderVersion) })
	if err := t.SendBatch(ctx, batch).Close(); err != nil {
		return i, fmt.Errorf("open the intent to %s order %s: %w", i.Kind, i.OrderID, err)
	}
	return i, nil
}

// Intent implements payment.Tx.
func (t *tx) Intent(ctx context.Context, p payment.Payment, kind machine.Intent) (payment.Intent, error) {
	i := payment.Intent{OrderID: p.OrderID, Kind: kind, Amount: p.Amount, Token: p.Token, ProviderRef: p.ProviderRef}
	err := t.QueryRow(ctx, `SELECT order_version FROM intent WHERE order_id = $1 AND kind = $2`, p.OrderID, kind).
		Scan(&i.OrderVersion)
	if err != nil {
		// Not NotFound: the state says that the row is there.
		return i, fmt.Errorf("read the intent to %s order %s: %v", kind, p.OrderID, err) //nolint:errorlint // see above
	}
	return i, nil
}

// View is a payment with its ledger, for reading.
type View struct {
	payment.Payment
	Lines []Line
}

// Line is one line of the ledger.
type Line struct {
	Kind    machine.Intent
	Account payment.Account
	Amount  payment.Money
}

// View returns the payment of an order, or NotFound.
func (s *Store) View(ctx context.Context, orderID string) (View, error) {
	p, err := scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM payment WHERE order_id = $1`, orderID))
	if errors.Is(err, pgx.ErrNoRows) {
		return View{}, fault.New(fault.NotFound, "there is no payment of this order")
	}
	if err != nil {
		return View{}, postgres.Map(err)
	}
	lines, err := s.lines(ctx, orderID)
	return View{p, lines}, postgres.Map(err)
}

func (s *Store) lines(ctx context.Context, orderID string) ([]Line, error) {
	rows, _ := s.db.Query(ctx, `SELECT e.kind, l.account, l.amount_minor, l.currency
		FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id
		WHERE e.order_id = $1 ORDER BY e.id, l.amount_minor`, orderID)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Line, error) {
		var l Line
		err := row.Scan(&l.Kind, &l.Account, &l.Amount.Minor, &l.Amount.Currency)
		return l, err
	})
}
