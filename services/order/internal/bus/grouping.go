package bus

import (
	"context"
	"maps"
	"slices"
	"sync"

	"parley.sh/services/order/internal/order"
)

// grouping writes levels that come side by side in one statement: every reservation
// changes one, and each by itself would cost the database a commit. While one group
// is written the next one gathers, so that under load groups grow and without load
// nobody waits.
type grouping struct {
	levels Levels
	// writing is held by the group that is being written.
	writing chan struct{}

	mu   sync.Mutex
	open *group // the group that gathers, nil for none
}

// group is written by the caller that began it. done is closed when err is set.
type group struct {
	levels []order.StockLevel
	done   chan struct{}
	err    error
}

func newGrouping(l Levels) *grouping {
	return &grouping{levels: l, writing: make(chan struct{}, 1)}
}

// save returns when the level is durable, or why it is not.
func (g *grouping) save(ctx context.Context, l order.StockLevel) error {
	mine, first := g.join(l)
	if first {
		g.lead(ctx, mine)
		return mine.err
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join adds a level to the group that gathers and reports whether it began it.
func (g *grouping) join(l order.StockLevel) (mine *group, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open, first = &group{done: make(chan struct{})}, true
	}
	g.open.levels = append(g.open.levels, l)
	return g.open, first
}

// lead waits for its turn, closes the group and writes it. When the leader's time is
// up the whole group fails, and each of its messages is held and comes again.
func (g *grouping) lead(ctx context.Context, mine *group) {
	defer close(mine.done)
	select {
	case g.writing <- struct{}{}:
		defer func() { <-g.writing }()
		mine.err = g.levels.SaveLevels(ctx, newest(g.shut(mine)))
	case <-ctx.Done():
		g.shut(mine)
		mine.err = ctx.Err()
	}
}

// shut lets nobody join a group any more, and returns what it gathered.
func (g *grouping) shut(mine *group) []order.StockLevel {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = nil
	return mine.levels
}

// newest returns the newest level of each product.
func newest(levels []order.StockLevel) []order.StockLevel {
	byProduct := make(map[string]order.StockLevel, len(levels))
	for _, l := range levels {
		if known, ok := byProduct[l.ProductID]; !ok || known.Version < l.Version {
			byProduct[l.ProductID] = l
		}
	}
	return slices.Collect(maps.Values(byProduct))
}
