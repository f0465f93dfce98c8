package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/order/internal/order"
)

// InsertForTest writes a new order without key and announcement, so that a test can
// hold its transaction open.
func InsertForTest(ctx context.Context, tx pgx.Tx, c order.Change) error {
	items, err := encodeItems(c.Order.Items)
	if err != nil {
		return err
	}
	return insertOrder(ctx, tx, c, items)
}
