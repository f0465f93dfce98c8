package cli

import (
	"context"
	"fmt"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker"
)

const (
	firstPause = 250 * time.Millisecond
	lastPause  = 5 * time.Second
)

// await asks the broker until it answers, for as long as the command may wait. It
// says once what it waits for.
func await(ctx context.Context, w *World, f *flags, t target, s broker.Session) error {
	if f.wait <= 0 {
		return nil
	}
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		_, err := s.Observe(ctx, t.want)
		if err == nil || !fault.Is(err, fault.Unavailable) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		left := f.wait - time.Since(began)
		if left <= 0 {
			return fmt.Errorf("waited %s: %w", f.wait, err)
		}
		if pause == firstPause {
			fmt.Fprintf(w.Stderr, "%s: waiting up to %s: %v\n", t.ref, f.wait, err)
		}
		if !sleep(ctx, min(pause, left)) {
			return ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
