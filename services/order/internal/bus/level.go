package bus

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
	"parley.sh/services/order/internal/order"
)

// LevelGroup is the consumer group of the read model of Stock.
const LevelGroup = "order-stock"

// Levels keeps the read model.
type Levels interface {
	SaveLevels(ctx context.Context, levels []order.StockLevel) error
	SaveCaughtUp(ctx context.Context, partition int32, at time.Time) error
}

// Level returns the handler of Stock. It needs no inbox: an older or equal version
// changes nothing. heard is told of every message, also of those that say nothing new:
// inventory repeats every level, so silence means trouble.
func Level(l Levels, heard func()) message.Handler {
	g := newGrouping(l)
	handle := contract.Handle(func(ctx context.Context, m message.Message, e contract.StockLevelChangedEvent) error {
		heard()
		return g.save(ctx, order.StockLevel{
			ProductID: e.ProductID, Version: e.Version, Stock: e.Stock,
			Price:     order.Money{AmountMinor: e.Price.AmountMinor, Currency: e.Price.Currency},
			Partition: m.Delivery.Partition, At: m.Time,
		})
	})
	return message.NewRouter().On(contract.StockLevelChangedEvent{}.Type(), handle).Handle
}

// Freshness remembers how far the partitions of Stock were read and writes it down
// now and then, so that every replica knows it.
type Freshness struct {
	levels Levels
	log    *slog.Logger
	every  time.Duration

	mu     sync.Mutex
	latest map[int32]time.Time
}

// NewFreshness returns a Freshness that writes at most once in every.
func NewFreshness(l Levels, every time.Duration, log *slog.Logger) *Freshness {
	return &Freshness{levels: l, log: log, every: every, latest: map[int32]time.Time{}}
}

// CaughtUp notes that a partition was read to its end at a time. It returns at
// once and is safe for concurrent use.
func (f *Freshness) CaughtUp(_ string, partition int32, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.After(f.latest[partition]) {
		f.latest[partition] = at
	}
}

// Run writes until ctx ends. What cannot be written is worth nothing later: the
// model is stale until the next time.
func (f *Freshness) Run(ctx context.Context) error {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.flush(ctx)
		}
	}
}

func (f *Freshness) flush(ctx context.Context) {
	f.mu.Lock()
	latest := f.latest
	f.latest = map[int32]time.Time{}
	f.mu.Unlock()
	for partition, at := range latest {
		if err := f.levels.SaveCaughtUp(ctx, partition, at); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "stock freshness not written", "partition", partition, "err", err)
		}
	}
}
