package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/payment/internal/payment"
)

const columns = `order_id, state, amount_minor, currency, token, provider_ref`

func scan(row pgx.Row, p *payment.Payment) error {
	return row.Scan(&p.OrderID, &p.State, &p.Amount.Minor, &p.Amount.Currency, &p.Token, &p.ProviderRef)
}

// queueLock adds to batch what makes the order's row, if it is not there, and locks
// it: a lock on a row that is not there locks nothing. The payment is filled when the
// batch is closed.
func queueLock(batch *pgx.Batch, orderID string) *payment.Payment {
	p := &payment.Payment{}
	batch.Queue(`INSERT INTO payment (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT `+columns+` FROM payment WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) error { return scan(row, p) })
	return p
}

// queueSave adds to batch what writes the row.
func (t *tx) queueSave(batch *pgx.Batch, p payment.Payment) {
	batch.Queue(`UPDATE payment SET state = $2, amount_minor = $3, currency = $4, token = $5,
		provider_ref = $6, updated_at = $7 WHERE order_id = $1`,
		p.OrderID, p.State, p.Amount.Minor, p.Amount.Currency, p.Token, p.ProviderRef, t.store.now())
}

// Open implements payment.Tx. The intent is unique per order and kind, for ever: a
// second one is an error and never a second call.
func (t *tx) Open(ctx context.Context, p payment.Payment, i payment.Intent) error {
	batch := &pgx.Batch{}
	t.queueSave(batch, p)
	batch.Queue(`INSERT INTO intent (order_id, kind, order_version, opened_at) VALUES ($1, $2, $3, $4)`,
		i.OrderID, i.Kind, i.OrderVersion, t.store.now())
	if err := t.send(ctx, batch); err != nil {
		return fmt.Errorf("open the intent to %s order %s: %w", i.Kind, i.OrderID, err)
	}
	return nil
}

// Intent implements payment.Tx.
func (t *tx) Intent(ctx context.Context, p payment.Payment) (payment.Intent, error) {
	var version int
	kind := p.State.Open()
	err := t.QueryRow(ctx, `SELECT order_version FROM intent WHERE order_id = $1 AND kind = $2`, p.OrderID, kind).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		// Not NotFound, a business fact: the state says that the row is there.
		err = fault.Newf(fault.Internal, "the open intent to %s is not there", kind)
	}
	if err != nil {
		return payment.Intent{}, fmt.Errorf("read the intent to %s order %s: %w", kind, p.OrderID, err)
	}
	return p.Opened(version), nil
}

// Save implements payment.Tx, in one round trip.
func (t *tx) Save(ctx context.Context, c payment.Change) error {
	m, err := t.announcement(c.Announcement)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	t.queueSave(batch, c.Payment)
	if c.Entry != nil {
		t.queueEntry(batch, *c.Entry)
	}
	if err := outbox.Queue(ctx, batch, m); err != nil {
		return fmt.Errorf("announce %s of order %s: %w", m.Type, m.Subject, err)
	}
	t.published = true
	if err := t.send(ctx, batch); err != nil {
		return fmt.Errorf("save %s of order %s: %w", m.Type, m.Subject, err)
	}
	return nil
}

// View returns the payment of an order with its ledger, or NotFound.
func (s *Store) View(ctx context.Context, orderID string) (payment.View, error) {
	var v payment.View
	batch := &pgx.Batch{}
	batch.Queue(`SELECT `+columns+` FROM payment WHERE order_id = $1`, orderID).
		QueryRow(func(row pgx.Row) error { return scan(row, &v.Payment) })
	batch.Queue(selectLines, orderID).Query(func(rows pgx.Rows) (err error) {
		v.Lines, err = pgx.CollectRows(rows, scanLine)
		return err
	})
	err := s.db.SendBatch(ctx, batch).Close()
	if errors.Is(err, pgx.ErrNoRows) {
		return v, fault.New(fault.NotFound, "there is no payment of this order")
	}
	return v, postgres.Map(err)
}
