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

// reach opens a session to the target's broker. It asks until the broker answers,
// for as long as the command may wait, and says once what it waits for.
func (t target) reach(ctx context.Context, w *World, wait time.Duration) (broker.Session, error) {
	s, err := open(t.address)
	if err != nil || wait <= 0 {
		return s, err
	}
	if err := t.await(ctx, w, wait, s); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (t target) await(ctx context.Context, w *World, wait time.Duration, s broker.Session) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		_, err := s.Observe(ctx, t.want)
		if err == nil || !fault.Is(err, fault.Unavailable) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		left := wait - time.Since(began)
		if left <= 0 {
			return fmt.Errorf("waited %s: %w", wait, err)
		}
		if pause == firstPause {
			say(w.Stderr, "%s: waiting up to %s: %v\n", t.ref, wait, err)
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
