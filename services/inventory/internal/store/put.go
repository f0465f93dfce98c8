package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley.sh/services/inventory/internal/inventory"
)

// Put implements inventory.Catalogue.
func (s *Store) Put(ctx context.Context, p inventory.Product) (now inventory.Product, created bool, err error) {
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		if now, created, err = t.insert(ctx, p); err != nil {
			return fmt.Errorf("make or lock product %s: %w", p.ID, err)
		}
		if created {
			return t.welcome(ctx, inventory.Adjust, now)
		}
		was := now
		if now, err = was.Set(p); err != nil {
			return err
		}
		return t.set(ctx, was, now)
	})
	return now, created, err
}

// insert makes a product unless it is there, and returns what is there, locked.
func (t *tx) insert(ctx context.Context, p inventory.Product) (now inventory.Product, created bool, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO product (id, name, price_minor, currency, on_hand, version, published_at)
		VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT DO NOTHING`,
		p.ID, p.Name, p.Price.Minor, p.Price.Currency, p.OnHand, t.store.now()).
		Exec(func(tag pgconn.CommandTag) error { created = tag.RowsAffected() == 1; return nil })
	batch.Queue(lockProducts, []string{p.ID}).Query(func(rows pgx.Rows) error {
		now, err = pgx.CollectExactlyOneRow(rows, scanProduct)
		return err
	})
	err = t.send(ctx, batch)
	return now, created, err
}

// set writes a product that is locked, with the movement of its count and the
// announcement of its level if those change.
func (t *tx) set(ctx context.Context, was, now inventory.Product) error {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE product SET name = $2, price_minor = $3, currency = $4, on_hand = $5, version = $6,
			published_at = CASE WHEN version <> $6 THEN $7::timestamptz ELSE published_at END WHERE id = $1`,
		now.ID, now.Name, now.Price.Minor, now.Price.Currency, now.OnHand, now.Version, t.store.now())
	if now.OnHand != was.OnHand {
		t.record(batch, []inventory.Movement{{ProductID: now.ID, Kind: inventory.Adjust, OnHand: now.OnHand - was.OnHand}})
	}
	if now.Version != was.Version {
		if err := t.publish(ctx, batch, level(now)); err != nil {
			return err
		}
	}
	if err := t.send(ctx, batch); err != nil {
		return fmt.Errorf("set product %s: %w", now.ID, err)
	}
	return nil
}

// welcome records what new products began with, and announces them.
func (t *tx) welcome(ctx context.Context, kind inventory.Kind, products ...inventory.Product) error {
	batch := &pgx.Batch{}
	var moves []inventory.Movement
	for _, p := range products {
		if p.OnHand > 0 {
			moves = append(moves, inventory.Movement{ProductID: p.ID, Kind: kind, OnHand: p.OnHand})
		}
		if err := t.publish(ctx, batch, level(p)); err != nil {
			return err
		}
	}
	t.record(batch, moves)
	if err := t.send(ctx, batch); err != nil {
		return fmt.Errorf("record new products: %w", err)
	}
	return nil
}
