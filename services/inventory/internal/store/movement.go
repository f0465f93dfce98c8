package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
)

// move applies movements to their products, which are locked in the order of their
// ids, and then records them: recording first would lock the products in the order
// of the items, by its foreign key, and two orders could deadlock. Products whose
// stock changes are announced.
func (t *tx) move(ctx context.Context, moves []inventory.Movement) error {
	if len(moves) == 0 {
		return nil
	}
	ids, onHand, reserved := columns(moves)
	_, err := t.Exec(ctx, `WITH locked AS (SELECT id FROM product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)
		UPDATE product p SET on_hand = p.on_hand + m.on_hand, reserved = p.reserved + m.reserved
		FROM locked JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) AS m (id, on_hand, reserved) USING (id)
		WHERE p.id = locked.id`, ids, onHand, reserved)
	if err != nil {
		return fmt.Errorf("apply movements: %w", err)
	}
	if err := t.record(ctx, moves); err != nil {
		return fmt.Errorf("record movements: %w", err)
	}
	return t.changed(ctx, stockMoved(moves))
}

func columns(moves []inventory.Movement) (ids []string, onHand, reserved []int64) {
	for _, m := range moves {
		ids = append(ids, m.ProductID)
		onHand = append(onHand, m.OnHand)
		reserved = append(reserved, m.Reserved)
	}
	return ids, onHand, reserved
}

// stockMoved lists the products whose stock moves: a pick takes what was reserved,
// so what can be ordered stays.
func stockMoved(moves []inventory.Movement) []string {
	var ids []string
	for _, m := range moves {
		if m.OnHand != m.Reserved {
			ids = append(ids, m.ProductID)
		}
	}
	return ids
}

func (t *tx) record(ctx context.Context, moves []inventory.Movement) error {
	batch := &pgx.Batch{}
	for _, m := range moves {
		batch.Queue(`INSERT INTO movement (product_id, order_id, kind, on_hand, reserved, at)
			VALUES ($1, NULLIF($2, '')::uuid, $3, $4, $5, $6)`,
			m.ProductID, m.OrderID, m.Kind, m.OnHand, m.Reserved, t.store.now())
	}
	return t.SendBatch(ctx, batch).Close()
}

// changed raises the version of products and announces their levels.
func (t *tx) changed(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	rows, _ := t.Query(ctx, `UPDATE product SET version = version + 1, published_at = $2 WHERE id = ANY($1)
		RETURNING `+productColumns, ids, t.store.now())
	return t.announceLevels(ctx, rows)
}

func (t *tx) announceLevels(ctx context.Context, rows pgx.Rows) error {
	levels, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.Payload, error) {
		p, err := scanProduct(row)
		return level(p), err
	})
	if err != nil {
		return fmt.Errorf("read levels: %w", err)
	}
	return t.publish(ctx, levels...)
}

// Republish implements inventory.Levels.
func (s *Store) Republish(ctx context.Context, olderThan time.Time, share int) (count int, err error) {
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		rows, _ := t.Query(ctx, `WITH old AS (
				SELECT id FROM product WHERE published_at < $1 ORDER BY published_at
				LIMIT (SELECT count(*) / $2 + 1 FROM product) FOR NO KEY UPDATE SKIP LOCKED)
			UPDATE product SET published_at = $3 FROM old WHERE product.id = old.id
			RETURNING product.id, name, price_minor, currency, on_hand, reserved, version`,
			olderThan, share, t.store.now())
		levels, err := pgx.CollectRows(rows, scanProduct)
		if err != nil {
			return fmt.Errorf("find old levels: %w", err)
		}
		count = len(levels)
		for _, p := range levels {
			if err := t.publish(ctx, level(p)); err != nil {
				return err
			}
		}
		return nil
	})
	return count, err
}
