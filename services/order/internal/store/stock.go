package store

import (
	"context"
	"time"

	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// SaveLevels keeps each level unless a newer one is known. A product stands in the
// list once.
func (s *Store) SaveLevels(ctx context.Context, levels []order.StockLevel) error {
	var c levelColumns
	for _, l := range levels {
		c.add(l)
	}
	_, err := s.db.Exec(ctx, `INSERT INTO stock_level AS known
			(product_id, version, stock, price_minor, currency, partition, updated_at)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::integer[],
			$7::timestamptz[]) AS news (product_id, version, stock, price_minor, currency, partition, updated_at)
		ORDER BY product_id
		ON CONFLICT (product_id) DO UPDATE SET version = excluded.version, stock = excluded.stock,
			price_minor = excluded.price_minor, currency = excluded.currency, partition = excluded.partition,
			updated_at = excluded.updated_at
		WHERE known.version < excluded.version`,
		c.products, c.versions, c.stocks, c.prices, c.currencies, c.partitions, c.times)
	return postgres.Map(err)
}

// levelColumns is a list of levels as unnest takes it.
type levelColumns struct {
	products, currencies     []string
	versions, stocks, prices []int64
	partitions               []int32
	times                    []time.Time
}

func (c *levelColumns) add(l order.StockLevel) {
	c.products, c.versions, c.stocks = append(c.products, l.ProductID), append(c.versions, l.Version), append(c.stocks, l.Stock)
	c.prices, c.currencies = append(c.prices, l.Price.AmountMinor), append(c.currencies, l.Price.Currency)
	c.partitions, c.times = append(c.partitions, l.Partition), append(c.times, l.At)
}

// SaveCaughtUp notes that the levels of a partition were complete at a time. An
// earlier time than the one known changes nothing.
func (s *Store) SaveCaughtUp(ctx context.Context, partition int32, at time.Time) error {
	_, err := s.db.Exec(ctx, `INSERT INTO stock_caught_up AS known (partition, at) VALUES ($1, $2)
		ON CONFLICT (partition) DO UPDATE SET at = excluded.at WHERE known.at < excluded.at`, partition, at)
	return postgres.Map(err)
}

// Levels implements order.Model. A level is fresh if the partition that it came by
// was read to its end at freshSince or later, by whichever replica.
func (s *Store) Levels(ctx context.Context, products []string, freshSince time.Time) (map[string]order.Level, error) {
	rows, err := s.db.Query(ctx, `
		SELECT l.product_id, l.stock, l.price_minor, l.currency, coalesce(c.at >= $2, false)
		FROM stock_level l LEFT JOIN stock_caught_up c USING (partition)
		WHERE l.product_id = ANY ($1)`, products, freshSince)
	if err != nil {
		return nil, postgres.Map(err)
	}
	defer rows.Close()
	levels := make(map[string]order.Level, len(products))
	for rows.Next() {
		var id string
		var l order.Level
		if err := rows.Scan(&id, &l.Stock, &l.Price.AmountMinor, &l.Price.Currency, &l.Fresh); err != nil {
			return nil, postgres.Map(err)
		}
		levels[id] = l
	}
	return levels, postgres.Map(rows.Err())
}
