package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/shipping/internal/shipping"
)

// late finds what waits for its label, which are the states of machine.PrintAgain,
// written as the partial index has them, and notes that it is asked for again. It
// waits for no lock: what another transaction holds is on its way.
const late = `WITH late AS (
		SELECT order_id FROM shipment WHERE state IN ('requested', 'labelling') AND asked_at < $1
		ORDER BY asked_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE shipment SET asked_at = $3 FROM late WHERE shipment.order_id = late.order_id
	RETURNING shipment.` + columns

// PrintAgain implements shipping.Labels.
func (s *Store) PrintAgain(ctx context.Context, before time.Time, limit int) (int, error) {
	count, t := 0, &tx{store: s}
	err := s.run(ctx, t, func(ctx context.Context) error {
		rows, _ := t.Query(ctx, late, before, limit, s.now())
		shipments, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (found shipping.Shipment, err error) {
			err = scan(row, &found)
			return found, err
		})
		if err != nil {
			return fmt.Errorf("find shipments that wait for their label: %w", err)
		}
		batch := &pgx.Batch{}
		for _, found := range shipments {
			if err := t.publish(ctx, batch, printLabel(found)); err != nil {
				return err
			}
		}
		count = len(shipments)
		return t.send(ctx, batch)
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}
