package rest

import (
	"context"
	"time"

	"parley.sh/services/order/internal/order"
)

// watcher waits for changes: for a hint, or a slow tick where hints are lost.
type watcher struct {
	reader order.Reader
	hints  *order.Hints
	tick   time.Duration
}

// await returns o as soon as it is terminal, or as it is when the time is up. The
// order exists already, so no failure of reading it becomes the answer.
func (w *watcher) await(ctx context.Context, o order.Order, wait time.Duration) order.Order {
	ctx, cancel := context.WithTimeout(ctx, within(ctx, wait))
	defer cancel()
	hints, end := w.hints.Watch(o.ID)
	defer end()
	tick := time.NewTicker(w.tick)
	defer tick.Stop()
	for !o.Progress.State.Terminal() {
		if now, err := w.reader.Order(ctx, o.ID); err == nil {
			o = now
			if o.Progress.State.Terminal() {
				break
			}
		}
		select {
		case <-ctx.Done():
			return o
		case <-hints:
		case <-tick.C:
		}
	}
	return o
}

// toAnswer is what is left of a request's time for writing the answer.
const toAnswer = 250 * time.Millisecond

// within bounds a wait so that the answer is sent before the request's deadline.
func within(ctx context.Context, wait time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(wait, time.Until(end)-toAnswer)
	}
	return wait
}
