package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
)

// apply changes the counts of one product as Product.After does. For the few products
// of an order, one statement for each, all in one round trip, costs less than one
// statement for all: that would be planned anew each time.
const apply = `UPDATE product SET on_hand = on_hand + $2, reserved = reserved + $3, version = version + $4,
	published_at = CASE WHEN $4 > 0 THEN $5 ELSE published_at END WHERE id = $1`

// record keeps movements. The reference to their products makes it lock those, in
// whatever order: they are locked already.
const record = `INSERT INTO movement (product_id, on_hand, reserved, order_id, kind, at)
	SELECT id, on_hand, reserved, NULLIF(order_id, '')::uuid, kind, $6::timestamptz
	FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[]) AS m (id, on_hand, reserved, order_id, kind)`

// move adds to batch what applies movements, in the order of their products' ids,
// which is the order of the locks, and records them.
func (t *tx) move(batch *pgx.Batch, moves []inventory.Movement) {
	sorted := slices.SortedFunc(slices.Values(moves), func(a, b inventory.Movement) int {
		return cmp.Compare(a.ProductID, b.ProductID)
	})
	for _, m := range sorted {
		versions := 0
		if m.Stock() != 0 {
			versions = 1
		}
		batch.Queue(apply, m.ProductID, m.OnHand, m.Reserved, versions, t.store.now()).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() != 1 {
				return fmt.Errorf("product %s of a movement is not there", m.ProductID)
			}
			return nil
		})
	}
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
