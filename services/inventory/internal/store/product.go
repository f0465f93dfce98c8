package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/contract"
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

// Put implements inventory.Catalogue.
func (s *Store) Put(ctx context.Context, p inventory.Product) (now inventory.Product, created bool, err error) {
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		if created, err = t.insert(ctx, p, inventory.Adjust); err != nil {
			return err
		}
		if !created {
			if err := t.change(ctx, p); err != nil {
				return err
			}
		}
		products, err := t.Products(ctx, []string{p.ID})
		now = products[p.ID]
		return err
	})
	return now, created, err
}

// Seed adds the products that are not there yet, each with a movement for its
// count, and changes none that are.
func (s *Store) Seed(ctx context.Context, products []inventory.Product) (added int, err error) {
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		added = 0
		for _, p := range products {
			created, err := t.insert(ctx, p, inventory.Seed)
			if err != nil {
				return fmt.Errorf("seed product %s: %w", p.ID, err)
			}
			if created {
				added++
			}
		}
		return nil
	})
	return added, err
}

// insert makes a product, empty at first, and moves its count in.
func (t *tx) insert(ctx context.Context, p inventory.Product, kind inventory.Kind) (created bool, err error) {
	tag, err := t.Exec(ctx, `INSERT INTO product (id, name, price_minor, currency, on_hand, version, published_at)
		VALUES ($1, $2, $3, $4, 0, 0, $5) ON CONFLICT DO NOTHING`,
		p.ID, p.Name, p.Price.Minor, p.Price.Currency, t.store.now())
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	if p.OnHand == 0 {
		return true, t.changed(ctx, []string{p.ID})
	}
	return true, t.move(ctx, []inventory.Movement{{ProductID: p.ID, Kind: kind, OnHand: p.OnHand}})
}

// change sets name, price and count of a product that is there.
func (t *tx) change(ctx context.Context, p inventory.Product) error {
	products, err := t.Products(ctx, []string{p.ID})
	if err != nil {
		return err
	}
	was := products[p.ID]
	if p.OnHand < was.Reserved {
		return fault.New(fault.Conflict, "onHand is below what orders have reserved")
	}
	if _, err := t.Exec(ctx, `UPDATE product SET name = $2, price_minor = $3, currency = $4 WHERE id = $1`,
		p.ID, p.Name, p.Price.Minor, p.Price.Currency); err != nil {
		return fmt.Errorf("update product %s: %w", p.ID, err)
	}
	if p.OnHand != was.OnHand {
		return t.move(ctx, []inventory.Movement{{ProductID: p.ID, Kind: inventory.Adjust, OnHand: p.OnHand - was.OnHand}})
	}
	if p.Price != was.Price {
		return t.changed(ctx, []string{p.ID})
	}
	return nil
}

// Products implements inventory.Tx.
func (t *tx) Products(ctx context.Context, ids []string) (map[string]inventory.Product, error) {
	rows, _ := t.Query(ctx, `SELECT `+productColumns+` FROM product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids)
	products, err := pgx.CollectRows(rows, scanProduct)
	if err != nil {
		return nil, fmt.Errorf("lock products: %w", err)
	}
	byID := make(map[string]inventory.Product, len(products))
	for _, p := range products {
		byID[p.ID] = p
	}
	return byID, nil
}

func level(p inventory.Product) contract.Payload {
	return contract.StockLevelChangedEvent{
		ProductID: p.ID, Version: p.Version, Stock: p.Stock(),
		Price: contract.Money{AmountMinor: p.Price.Minor, Currency: p.Price.Currency},
	}
}
