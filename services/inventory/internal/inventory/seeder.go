package inventory

import (
	"context"
	"log/slog"
	"time"
)

// seedPause is how long the seeder waits before it tries again.
const seedPause = 2 * time.Second

// Seeded adds products that are not there yet.
type Seeded interface {
	// Seed adds the products that are not there, each with a movement for its count,
	// and returns how many. It may return Unavailable.
	Seed(ctx context.Context, products []Product) (added int, err error)
}

// Seeder fills an empty catalogue once.
type Seeder struct {
	Catalogue Seeded
	Products  []Product
	Log       *slog.Logger
}

// Run adds the products, trying until it succeeds or ctx ends, and returns nil.
func (s Seeder) Run(ctx context.Context) error {
	for {
		added, err := s.Catalogue.Seed(ctx, s.Products)
		if err == nil {
			s.Log.InfoContext(ctx, "catalogue seeded", slog.Int("added", added), slog.Int("products", len(s.Products)))
			return nil
		}
		s.Log.WarnContext(ctx, "catalogue not seeded", slog.Any("err", err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(seedPause):
		}
	}
}
