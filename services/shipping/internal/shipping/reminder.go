package shipping

import (
	"context"
	"log/slog"
	"time"
)

// Labels sends PrintLabel again. It may return Unavailable.
type Labels interface {
	// PrintAgain sends PrintLabel under a new message id for up to limit shipments
	// that wait for their label since before the given time, and notes the time.
	PrintAgain(ctx context.Context, before time.Time, limit int) (int, error)
}

// Reminder looks for shipments that wait for their label (machine.PrintAgain): their
// PrintLabel may have been lost, to a missing binding for one.
type Reminder struct {
	Labels Labels
	Log    *slog.Logger
	// After is how long a shipment may wait for its label.
	After time.Duration
	// Every is the pause between two looks.
	Every time.Duration
}

// batch is how many shipments one transaction reminds of.
const batch = 100

// Run reminds until ctx ends. It returns nil: what fails is tried again at the
// next look.
func (r Reminder) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.Every)
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

// once reminds of all shipments that are late, a batch at a time.
func (r Reminder) once(ctx context.Context, now time.Time) {
	for {
		count, err := r.Labels.PrintAgain(ctx, now.Add(-r.After), batch)
		if err != nil {
			if ctx.Err() == nil {
				r.Log.WarnContext(ctx, "labels not asked for again", slog.Any("err", err))
			}
			return
		}
		if count > 0 {
			r.Log.WarnContext(ctx, "labels asked for again", slog.Int("count", count))
		}
		if count < batch {
			return
		}
	}
}
