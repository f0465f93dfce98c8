package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"parley.sh/services/order/internal/order"
)

// periodic returns a job that calls work again and again, about every so often, until
// its context ends. Replicas do not beat in time.
func periodic(every time.Duration, work func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			pause := time.NewTimer(every/2 + rand.N(every))
			select {
			case <-ctx.Done():
				pause.Stop()
				return nil
			case <-pause.C:
			}
			work(ctx)
		}
	}
}

// sweeper runs the timers of orders.
type sweeper struct {
	orders *order.Service
	agenda order.Agenda
	resume order.Resume
	log    *slog.Logger
}

// sweep returns the job of one clock. It goes on at once while it finds work.
func (s sweeper) sweep(c order.Clock, every time.Duration) func(context.Context) error {
	return periodic(every, func(ctx context.Context) {
		for ctx.Err() == nil {
			n, err := s.orders.Sweep(ctx, s.agenda, c, s.resume)
			if err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "orders not swept", "clock", string(c), "err", err)
				return
			}
			if n == 0 {
				return
			}
			s.log.InfoContext(ctx, "orders swept", "clock", string(c), "count", n)
		}
	})
}

// keyStore is *store.Store.
type keyStore interface {
	PurgeKeys(ctx context.Context, before time.Time) (int64, error)
}

// purgeEvery is how often old keys are looked for.
const purgeEvery = 10 * time.Minute

// purge returns the job that forgets old keys.
func purge(keys keyStore, keep time.Duration, log *slog.Logger) func(context.Context) error {
	return periodic(purgeEvery, func(ctx context.Context) {
		n, err := keys.PurgeKeys(ctx, time.Now().Add(-keep))
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "idempotency keys not purged", "err", err)
		}
		if n > 0 {
			log.InfoContext(ctx, "idempotency keys purged", "count", n)
		}
	})
}
