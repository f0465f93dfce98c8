package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

const columns = `order_id, order_version, state, level, address, tracking_number`

func scan(row pgx.Row, s *shipping.Shipment) error {
	return row.Scan(&s.OrderID, &s.OrderVersion, &s.State, &s.Level, &s.Address, &s.TrackingNumber)
}

// queueLock adds to batch what makes the order's row, if it is not there, and locks
// it: a lock on a row that is not there locks nothing. The shipment is filled when
// the batch is closed.
func queueLock(batch *pgx.Batch, orderID string) *shipping.Shipment {
	s := &shipping.Shipment{}
	batch.Queue(`INSERT INTO shipment (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT `+columns+` FROM shipment WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) error { return scan(row, s) })
	return s
}

// Save implements shipping.Tx, in one round trip.
func (t *tx) Save(ctx context.Context, c shipping.Change) error {
	s, batch := c.Shipment, &pgx.Batch{}
	batch.Queue(`UPDATE shipment SET order_version = $2, state = $3, level = $4, address = $5, tracking_number = $6,
			updated_at = $7, asked_at = CASE WHEN $8 THEN $7 ELSE asked_at END WHERE order_id = $1`,
		s.OrderID, s.OrderVersion, s.State, s.Level, s.Address, s.TrackingNumber, t.store.now(), c.Print)
	said, err := payloads(c)
	if err != nil {
		return err
	}
	if err := t.publish(ctx, batch, said...); err != nil {
		return err
	}
	return t.send(ctx, batch)
}

// payloads returns what a change sends.
func payloads(c shipping.Change) ([]contract.Payload, error) {
	var said []contract.Payload
	if c.Print {
		said = append(said, printLabel(c.Shipment))
	}
	if c.Fact == machine.Silence {
		return said, nil
	}
	p, err := fact(c.Fact, c.Shipment)
	return append(said, p), err
}

func printLabel(s shipping.Shipment) contract.Payload {
	return contract.PrintLabel{OrderID: s.OrderID, OrderVersion: s.OrderVersion, Level: s.Level, ShipTo: s.Address}
}

func fact(f machine.Fact, s shipping.Shipment) (contract.Payload, error) {
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
	return nil, fmt.Errorf("%q of order %s has no message", f, s.OrderID)
}

// publish leaves payloads in the outbox, with the statements of batch.
func (t *tx) publish(ctx context.Context, batch *pgx.Batch, payloads ...contract.Payload) error {
	for _, p := range payloads {
		m, err := contract.NewMessage(p, t.store.newID(), t.store.now())
		if err != nil {
			return err
		}
		if err := outbox.Queue(ctx, batch, m); err != nil {
			return fmt.Errorf("publish %s of order %s: %w", p.Type(), p.Subject(), err)
		}
		t.published = true
	}
	return nil
}

// View returns the shipment of an order, or NotFound.
func (s *Store) View(ctx context.Context, orderID string) (shipping.Shipment, error) {
	var shipment shipping.Shipment
	err := scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM shipment WHERE order_id = $1`, orderID), &shipment)
	if errors.Is(err, pgx.ErrNoRows) {
		return shipment, fault.New(fault.NotFound, "there is no shipment of this order")
	}
	return shipment, postgres.Map(err)
}
