package store

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
)

const productColumns = `id, name, price_minor, currency, on_hand, reserved, version`

func scanProduct(row pgx.CollectableRow) (inventory.Product, error) {
	var p inventory.Product
	err := row.Scan(&p.ID, &p.Name, &p.Price.Minor, &p.Price.Currency, &p.OnHand, &p.Reserved, &p.Version)
	return p, err
}

// Product implements inventory.Catalogue.
func (s *Store) Product(ctx context.Context, id string) (inventory.Product, error) {
	rows, _ := s.db.Query(ctx, `SELECT `+productColumns+` FROM product WHERE id = $1`, id)
	p, err := pgx.CollectExactlyOneRow(rows, scanProduct)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, fault.New(fault.NotFound, "there is no such product")
	}
	return p, postgres.Map(err)
}

// Products implements inventory.Catalogue.
func (s *Store) Products(ctx context.Context, after string, limit int) ([]inventory.Product, error) {
	rows, _ := s.db.Query(ctx,
		`SELECT `+productColumns+` FROM product WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	products, err := pgx.CollectRows(rows, scanProduct)
	return products, postgres.Map(err)
}

// lockProducts locks rows one after the other in the order of their ids.
const lockProducts = `SELECT ` + productColumns + ` FROM product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`

// Products implements inventory.Tx. Products that are locked already are not read
// again: nobody else can have changed them.
func (t *tx) Products(ctx context.Context, ids []string) (map[string]inventory.Product, error) {
	if t.holds(ids) {
		return maps.Clone(t.locked), nil
	}
	rows, _ := t.Query(ctx, lockProducts, ids)
	products, err := pgx.CollectRows(rows, scanProduct)
	if err != nil {
		return nil, fmt.Errorf("lock products: %w", err)
	}
	for _, p := range products {
		t.locked[p.ID] = p
	}
	return maps.Clone(t.locked), nil
}

func (t *tx) holds(ids []string) bool {
	for _, id := range ids {
		if _, ok := t.locked[id]; !ok {
			return false
		}
	}
	return true
}
