package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

const columns = `order_id, order_version, state, level, address, tracking_number`

func scan(row pgx.Row) (shipping.Shipment, error) {
	var s shipping.Shipment
	err := row.Scan(&s.OrderID, &s.OrderVersion, &s.State, &s.Level, &s.Address, &s.TrackingNumber)
	return s, err
}

// Shipment implements shipping.Tx. The row is made before it is locked: a lock on
// a row that is not there locks nothing.
func (t *tx) Shipment(ctx context.Context, orderID string) (shipping.Shipment, error) {
	var s shipping.Shipment
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO shipment (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT `+columns+` FROM shipment WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) (err error) { s, err = scan(row); return err })
	if err := t.SendBatch(ctx, batch).Close(); err != nil {
		return s, fmt.Errorf("lock order %s: %w", orderID, err)
	}
	return s, nil
}

// Save implements shipping.Tx.
func (t *tx) Save(ctx context.Context, s shipping.Shipment) error {
	_, err := t.Exec(ctx, `UPDATE shipment SET order_version = $2, state = $3, level = $4, address = $5,
		tracking_number = $6, updated_at = $7 WHERE order_id = $1`,
		s.OrderID, s.OrderVersion, s.State, s.Level, s.Address, s.TrackingNumber, t.store.now())
	if err != nil {
		return fmt.Errorf("save order %s: %w", s.OrderID, err)
	}
	return nil
}

// Print implements shipping.Tx.
func (t *tx) Print(ctx context.Context, s shipping.Shipment) error {
	if _, err := t.Exec(ctx, `UPDATE shipment SET asked_at = $2 WHERE order_id = $1`, s.OrderID, t.store.now()); err != nil {
		return fmt.Errorf("note the label of order %s: %w", s.OrderID, err)
	}
	return t.publish(ctx, contract.PrintLabel{
		OrderID: s.OrderID, OrderVersion: s.OrderVersion, Level: s.Level, ShipTo: s.Address,
	})
}

// Announce implements shipping.Tx.
func (t *tx) Announce(ctx context.Context, f machine.Fact, s shipping.Shipment) error {
	p, err := payload(f, s)
	if err != nil {
		return err
	}
	return t.publish(ctx, p)
}

func payload(f machine.Fact, s shipping.Shipment) (contract.Payload, error) {
	switch f {
	case machine.ShipmentDispatched:
		return contract.ShipmentDispatchedEvent{
			OrderID: s.OrderID, OrderVersion: s.OrderVersion, TrackingNumber: s.TrackingNumber, Level: s.Level,
		}, nil
	case machine.FailedCarrier:
		return contract.ShipmentFailedEvent{
			OrderID: s.OrderID, OrderVersion: s.OrderVersion, Reason: contract.FailedCarrier,
		}, nil
	case machine.FailedCancelled:
		return contract.ShipmentFailedEvent{
			OrderID: s.OrderID, OrderVersion: s.OrderVersion, Reason: contract.FailedCancelled,
		}, nil
	case machine.Silence:
	}
	return nil, fmt.Errorf("order %s has no fact to announce", s.OrderID)
}

func (t *tx) publish(ctx context.Context, p contract.Payload) error {
	m, err := contract.NewMessage(p, t.store.newID(), t.store.now())
	if err != nil {
		return err
	}
	if err := outbox.Add(ctx, t.Tx, m); err != nil {
		return fmt.Errorf("publish %s of order %s: %w", p.Type(), p.Subject(), err)
	}
	return nil
}

// open are the states of machine.PrintAgain, as the partial index has them.
var open = []string{string(machine.Requested), string(machine.Labelling)}

// PrintAgain implements shipping.Labels.
func (s *Store) PrintAgain(ctx context.Context, before time.Time, limit int) (count int, err error) {
	err = s.db.Tx(ctx, func(ctx context.Context, pg pgx.Tx) error {
		t := &tx{Tx: pg, store: s}
		rows, _ := pg.Query(ctx, `SELECT `+columns+` FROM shipment WHERE state = ANY($1) AND asked_at < $2
			ORDER BY asked_at LIMIT $3 FOR UPDATE SKIP LOCKED`, open, before, limit)
		late, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (shipping.Shipment, error) { return scan(row) })
		if err != nil {
			return fmt.Errorf("find shipments that stay requested: %w", err)
		}
		count = len(late)
		for _, shipment := range late {
			if err := t.Print(ctx, shipment); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && count > 0 {
		s.wake()
	}
	return count, err
}

// View returns the shipment of an order, or NotFound.
func (s *Store) View(ctx context.Context, orderID string) (shipping.Shipment, error) {
	shipment, err := scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM shipment WHERE order_id = $1`, orderID))
	if errors.Is(err, pgx.ErrNoRows) {
		return shipment, fault.New(fault.NotFound, "there is no shipment of this order")
	}
	return shipment, postgres.Map(err)
}
