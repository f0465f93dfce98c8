package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
)

// apply changes the counts of products as Product.After does, locking them in the
// order of their ids.
const apply = `WITH locked AS (SELECT id FROM product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)
	UPDATE product p SET on_hand = p.on_hand + m.on_hand, reserved = p.reserved + m.reserved,
		version = p.version + (m.on_hand <> m.reserved)::int,
		published_at = CASE WHEN m.on_hand <> m.reserved THEN $4::timestamptz ELSE p.published_at END
	FROM locked JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) AS m (id, on_hand, reserved) USING (id)
	WHERE p.id = locked.id`

// record keeps movements. The reference to their products makes it lock those, in
// whatever order: they are locked already.
const record = `INSERT INTO movement (product_id, on_hand, reserved, order_id, kind, at)
	SELECT id, on_hand, reserved, NULLIF(order_id, '')::uuid, kind, $6::timestamptz
	FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]) AS m (id, on_hand, reserved, order_id, kind)`

// move adds to batch what applies and records movements.
func (t *tx) move(batch *pgx.Batch, moves []inventory.Movement) {
	if len(moves) == 0 {
		return
	}
	c := columnsOf(moves)
	batch.Queue(apply, c.ids, c.onHand, c.reserved, t.store.now()).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(len(moves)) {
			return fmt.Errorf("%d movements changed %d products", len(moves), tag.RowsAffected())
		}
		return nil
	})
	t.record(batch, moves)
}

// record adds to batch what keeps movements.
func (t *tx) record(batch *pgx.Batch, moves []inventory.Movement) {
	if len(moves) == 0 {
		return
	}
	c := columnsOf(moves)
	batch.Queue(record, c.ids, c.onHand, c.reserved, c.orders, c.kinds, t.store.now())
}

// columns are movements by column, for unnest.
type columns struct {
	ids, orders, kinds []string
	onHand, reserved   []int64
}

func columnsOf(moves []inventory.Movement) columns {
	var c columns
	for _, m := range moves {
		c.ids = append(c.ids, m.ProductID)
		c.orders = append(c.orders, m.OrderID)
		c.kinds = append(c.kinds, string(m.Kind))
		c.onHand = append(c.onHand, m.OnHand)
		c.reserved = append(c.reserved, m.Reserved)
	}
	return c
}

// levels returns the announcements of what movements make of the stock of their
// products. It locks those whose stock moves, so that what it computes is what apply
// will write.
func (t *tx) levels(ctx context.Context, moves []inventory.Movement) ([]contract.Payload, error) {
	var ids []string
	for _, m := range moves {
		if m.Stock() != 0 {
			ids = append(ids, m.ProductID)
		}
	}
	products, err := t.Products(ctx, ids)
	if err != nil {
		return nil, err
	}
	var levels []contract.Payload
	for _, m := range moves {
		p, known := products[m.ProductID]
		if m.Stock() == 0 {
			continue
		}
		if !known {
			return nil, fmt.Errorf("product %s of a movement is not there", m.ProductID)
		}
		levels = append(levels, level(p.After(m)))
	}
	return levels, nil
}

func level(p inventory.Product) contract.Payload {
	return contract.StockLevelChangedEvent{
		ProductID: p.ID, Version: p.Version, Stock: p.Stock(),
		Price: contract.Money{AmountMinor: p.Price.Minor, Currency: p.Price.Currency},
	}
}
