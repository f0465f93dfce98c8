package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// Key implements order.Store.
func (s *Store) Key(ctx context.Context, customerID, key string) (order.Key, error) {
	rows, err := s.db.Query(ctx, `SELECT customer_id, key, fingerprint, order_id::text, created_at FROM idempotency
		WHERE customer_id = $1 AND key = $2`, customerID, key)
	if err != nil {
		return order.Key{}, postgres.Map(err)
	}
	k, err := pgx.CollectExactlyOneRow(rows, scanKey)
	return k, postgres.Map(err)
}

func scanKey(row pgx.CollectableRow) (order.Key, error) {
	var k order.Key
	var fingerprint []byte
	if err := row.Scan(&k.CustomerID, &k.Key, &fingerprint, &k.OrderID, &k.At); err != nil {
		return k, err
	}
	if copy(k.Fingerprint[:], fingerprint) != len(k.Fingerprint) {
		return k, fmt.Errorf("the fingerprint has %d bytes", len(fingerprint))
	}
	k.At = k.At.UTC()
	return k, nil
}

// purgeBatch bounds one statement of PurgeKeys, so that it holds few locks.
const purgeBatch = 1000

// PurgeKeys forgets the keys from before a time and returns how many there were.
// Replicas may purge at the same time: each takes rows that no other holds.
func (s *Store) PurgeKeys(ctx context.Context, before time.Time) (int64, error) {
	var purged int64
	for {
		tag, err := s.db.Exec(ctx, `DELETE FROM idempotency WHERE (customer_id, key) IN (
			SELECT customer_id, key FROM idempotency WHERE created_at < $1
			ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, before, purgeBatch)
		if err != nil {
			return purged, postgres.Map(err)
		}
		purged += tag.RowsAffected()
		if tag.RowsAffected() < purgeBatch {
			return purged, nil
		}
	}
}
