package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/inventory/internal/inventory"
)

// seedChunk is how many products one transaction seeds.
const seedChunk = 500

// seed makes the products that are not there, in the order of their ids: two replicas
// that seed at once cannot deadlock. They count as announced at a moment of the last
// minute each, or they would all be announced again at the same moment from now.
const seed = `INSERT INTO product (id, name, price_minor, currency, on_hand, version, published_at)
	SELECT id, name, price, currency, on_hand, 1, $6::timestamptz - random() * interval '1 minute'
	FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) AS s (id, name, price, currency, on_hand)
	ORDER BY id
	ON CONFLICT DO NOTHING
	RETURNING ` + productColumns

// Seed adds the products that are not there yet, each with a movement for its
// count, and changes none that are. It may stop in between: what it added is kept.
func (s *Store) Seed(ctx context.Context, products []inventory.Product) (added int, err error) {
	for chunk := range slices.Chunk(products, seedChunk) {
		var made []inventory.Product
		err := s.tx(ctx, func(ctx context.Context, t *tx) error {
			if made, err = t.seed(ctx, chunk); err != nil || len(made) == 0 {
				return err
			}
			return t.welcome(ctx, inventory.Seed, made...)
		})
		if err != nil {
			return added, err
		}
		added += len(made)
	}
	return added, nil
}

func (t *tx) seed(ctx context.Context, products []inventory.Product) ([]inventory.Product, error) {
	var ids, names, currencies []string
	var prices, onHand []int64
	for _, p := range products {
		ids, names, currencies = append(ids, p.ID), append(names, p.Name), append(currencies, p.Price.Currency)
		prices, onHand = append(prices, p.Price.Minor), append(onHand, p.OnHand)
	}
	rows, _ := t.Query(ctx, seed, ids, names, prices, currencies, onHand, t.store.now())
	made, err := pgx.CollectRows(rows, scanProduct)
	if err != nil {
		return nil, fmt.Errorf("seed products: %w", err)
	}
	return made, nil
}
