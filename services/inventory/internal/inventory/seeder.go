package inventory

import (
	"context"
	"log/slog"
	"time"

	"parley.sh/services/kit/fault"
)

// seedPause is how long the seeder waits before it tries again.
const seedPause = 2 * time.Second

// Seeded adds products that are not there yet.
type Seeded interface {
	// Seed adds the products that are not there, each with a movement for its count,
	// and returns how many. It may return Unavailable.
	Seed(ctx context.Context, products []Product) (added int, err error)
}

// Seeder fills an empty catalogue once. Make it with NewSeeder.
type Seeder struct {
	catalogue Seeded
	products  []Product
	log       *slog.Logger
	done      chan struct{}
}

// NewSeeder returns a seeder that adds products to catalogue.
func NewSeeder(catalogue Seeded, products []Product, log *slog.Logger) *Seeder {
	return &Seeder{catalogue: catalogue, products: products, log: log, done: make(chan struct{})}
}

// Ready is a readiness check: Unavailable until the products are there. Before that
// the service would answer that it does not know them.
func (s *Seeder) Ready(context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
		return fault.New(fault.Unavailable, "the catalogue is not seeded yet")
	}
}

// Run adds the products, trying until it succeeds or ctx ends, and returns nil. It
// may be called once.
func (s *Seeder) Run(ctx context.Context) error {
	for !s.seed(ctx) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(seedPause):
		}
	}
	return nil
}

// seed reports whether the products are there.
func (s *Seeder) seed(ctx context.Context) bool {
	added, err := s.catalogue.Seed(ctx, s.products)
	switch {
	case err == nil:
		close(s.done)
		s.log.InfoContext(ctx, "catalogue seeded", slog.Int("added", added), slog.Int("products", len(s.products)))
	case ctx.Err() == nil:
		s.log.WarnContext(ctx, "catalogue not seeded", slog.Any("err", err))
	}
	return err == nil
}
