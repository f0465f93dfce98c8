package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/message"
)

// item is an item in the column items.
type item struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity"`
}

// once makes the order's row if it is not there, locks it and notes the message. The
// row is made first: a lock on a row that is not there locks nothing.
func (t *tx) once(ctx context.Context, orderID string, m message.Message) (r inventory.Reservation, fresh bool, err error) {
	r.OrderID = orderID
	var items []item
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO reservation (order_id) VALUES ($1) ON CONFLICT DO NOTHING`, orderID)
	batch.Queue(`SELECT state, items FROM reservation WHERE order_id = $1 FOR UPDATE`, orderID).
		QueryRow(func(row pgx.Row) error { return row.Scan(&r.State, &items) })
	noted, err := inbox.Queue(batch, Consumer, m)
	if err != nil {
		return r, false, err
	}
	if err := t.send(ctx, batch); err != nil {
		return r, false, fmt.Errorf("lock order %s: %w", orderID, err)
	}
	for _, i := range items {
		r.Items = append(r.Items, inventory.Item{ProductID: i.ProductID, Quantity: i.Quantity})
	}
	fresh, err = noted.Fresh(ctx, t.Tx)
	return r, fresh, err
}

// Save implements inventory.Tx, in one round trip.
func (t *tx) Save(ctx context.Context, c inventory.Change) error {
	fact, err := payload(c.Announcement)
	if err != nil {
		return err
	}
	levels, err := t.levels(ctx, c.Movements)
	if err != nil {
		return err
	}
	items := make([]item, len(c.Reservation.Items))
	for i, it := range c.Reservation.Items {
		items[i] = item{ProductID: it.ProductID, Quantity: it.Quantity}
	}
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE reservation SET state = $2, items = $3, updated_at = $4 WHERE order_id = $1`,
		c.Reservation.OrderID, c.Reservation.State, items, t.store.now())
	t.move(batch, c.Movements)
	if err := t.publish(ctx, batch, append(levels, fact)...); err != nil {
		return err
	}
	return t.send(ctx, batch)
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
