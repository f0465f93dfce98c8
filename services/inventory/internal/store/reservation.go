package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/outbox"
)

// Reservation implements inventory.Tx. The row is made before it is locked: a lock
// on a row that is not there locks nothing.
func (t *tx) Reservation(ctx context.Context, orderID string) (inventory.Reservation, error) {
	r := inventory.Reservation{OrderID: orderID}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO reservation (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT state, items FROM reservation WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) error { return row.Scan(&r.State, &r.Items) })
	if err := t.SendBatch(ctx, batch).Close(); err != nil {
		return r, fmt.Errorf("lock order %s: %w", orderID, err)
	}
	return r, nil
}

// Save implements inventory.Tx.
func (t *tx) Save(ctx context.Context, r inventory.Reservation, moves []inventory.Movement) error {
	items := r.Items
	if items == nil {
		items = []inventory.Item{}
	}
	_, err := t.Exec(ctx, `UPDATE reservation SET state = $2, items = $3, updated_at = $4 WHERE order_id = $1`,
		r.OrderID, r.State, items, t.store.now())
	if err != nil {
		return fmt.Errorf("update the reservation: %w", err)
	}
	return t.move(ctx, moves)
}

// Announce implements inventory.Tx.
func (t *tx) Announce(ctx context.Context, a inventory.Announcement) error {
	p, err := payload(a)
	if err != nil {
		return err
	}
	return t.publish(ctx, p)
}

// publish leaves payloads in the outbox of the transaction.
func (t *tx) publish(ctx context.Context, payloads ...contract.Payload) error {
	for _, p := range payloads {
		m, err := contract.NewMessage(p, t.store.newID(), t.store.now())
		if err != nil {
			return err
		}
		if err := outbox.Add(ctx, t.Tx, m); err != nil {
			return fmt.Errorf("publish %s: %w", p.Type(), err)
		}
	}
	return nil
}

func payload(a inventory.Announcement) (contract.Payload, error) {
	items := contractItems(a.Items)
	switch a.Fact {
	case machine.StockReserved:
		return contract.StockReservedEvent{OrderID: a.OrderID, OrderVersion: a.OrderVersion, Items: items}, nil
	case machine.StockRejected:
		return contract.StockRejectedEvent{
			OrderID: a.OrderID, OrderVersion: a.OrderVersion, Shortages: contractShortages(a.Shortages),
		}, nil
	case machine.StockPicked:
		return contract.StockPickedEvent{OrderID: a.OrderID, OrderVersion: a.OrderVersion, Items: items}, nil
	case machine.StockReleased:
		return contract.StockReleasedEvent{OrderID: a.OrderID, OrderVersion: a.OrderVersion, Items: items}, nil
	case machine.StockReturned:
		return contract.StockReturnedEvent{OrderID: a.OrderID, OrderVersion: a.OrderVersion, Items: items}, nil
	case machine.Silence:
	}
	return nil, fmt.Errorf("order %s changed its state without a fact", a.OrderID)
}

func contractItems(items []inventory.Item) []contract.Item {
	out := make([]contract.Item, len(items))
	for i, item := range items {
		out[i] = contract.Item{ProductID: item.ProductID, Quantity: item.Quantity}
	}
	return out
}

func contractShortages(shortages []inventory.Shortage) []contract.Shortage {
	out := make([]contract.Shortage, len(shortages))
	for i, s := range shortages {
		out[i] = contract.Shortage{ProductID: s.ProductID, Requested: s.Requested, Available: s.Available}
	}
	return out
}
