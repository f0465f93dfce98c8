package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// republish finds what was announced longest ago. It waits for no lock: a product
// that another transaction holds is announced by that one, or next time.
const republish = `WITH old AS (
		SELECT id FROM product WHERE published_at < $1 ORDER BY published_at
		LIMIT (SELECT count(*) / $2 + 1 FROM product) FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE product SET published_at = $3 FROM old WHERE product.id = old.id
	RETURNING product.id, name, price_minor, currency, on_hand, reserved, version`

// Republish implements inventory.Levels.
func (s *Store) Republish(ctx context.Context, olderThan time.Time, share int) (count int, err error) {
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		rows, _ := t.Query(ctx, republish, olderThan, share, t.store.now())
		products, err := pgx.CollectRows(rows, scanProduct)
		if err != nil {
			return fmt.Errorf("find old levels: %w", err)
		}
		batch := &pgx.Batch{}
		for _, p := range products {
			if err := t.publish(ctx, batch, level(p)); err != nil {
				return err
			}
		}
		count = len(products)
		return t.send(ctx, batch)
	})
	return count, err
}
