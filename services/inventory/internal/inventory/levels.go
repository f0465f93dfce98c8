package inventory

import (
	"context"
	"log/slog"
	"time"
)

// Every level is announced once in this time, so that a reader with a stale value
// heals and silence means trouble. Each tick announces the levels whose time has
// come, but at most one in spread of all: after a pause, when the time of all has
// come, they are spread over most of a minute again, and stay so.
const (
	RepublishEvery = time.Minute
	tick           = time.Second
	spread         = 50
)

// Levels announces levels again. It may return Unavailable.
type Levels interface {
	// Republish announces, unchanged, levels that were last announced before
	// olderThan, the oldest first, at most one in share of all and one more.
	Republish(ctx context.Context, olderThan time.Time, share int) (int, error)
}

// Republisher keeps the levels on the Stock topic fresh.
type Republisher struct {
	Levels Levels
	Log    *slog.Logger
}

// Run republishes until ctx ends. It returns nil: what fails is tried again at the
// next tick.
func (r Republisher) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			r.once(ctx, now)
		}
	}
}

func (r Republisher) once(ctx context.Context, now time.Time) {
	if _, err := r.Levels.Republish(ctx, now.Add(-RepublishEvery), spread); err != nil && ctx.Err() == nil {
		r.Log.WarnContext(ctx, "levels not republished", slog.Any("err", err))
	}
}
