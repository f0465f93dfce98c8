package rabbit

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff makes pauses that double from low to high, each drawn from its upper
// half so that a thousand clients do not come back at once.
type backoff struct {
	low, high time.Duration
	current   time.Duration
}

func (b *backoff) next() time.Duration {
	b.current = min(max(2*b.current, b.low), b.high)
	return b.current/2 + rand.N(b.current/2+1)
}

// lasted starts over if what was tried last held for long enough to count as well.
func (b *backoff) lasted(d time.Duration) {
	if d >= b.high {
		b.current = 0
	}
}

// pause waits for d and reports whether neither ctx nor stop ended before.
func pause(ctx context.Context, d time.Duration, stop <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	return false
}
