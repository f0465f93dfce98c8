package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// The two ends of a held message that are not its own doing.
var (
	// errLetGo: its subscription ended or the process must, so it comes again.
	errLetGo = errors.New("let go")
	// errPutBack: its consumer takes no more, somebody else may try sooner.
	errPutBack = errors.New("put back")
)

// The pauses while a message is held.
const (
	holdLow  = 100 * time.Millisecond
	holdHigh = 10 * time.Second
)

// attempt calls the handler, again and again while something it needs is
// unavailable, within the time that a message may be held. Holding spends nothing:
// each call is the same attempt.
func (c *Consumer) attempt(ctx context.Context, sub *subscription, m message.Message) error {
	pauses := backoff{low: holdLow, high: holdHigh}
	limit := time.Now().Add(c.hold)
	for {
		err := c.handler(ctx, m)
		if err == nil || fault.Of(fault.KindOf(err)).Delivery != fault.Hold {
			return err
		}
		d := max(pauses.next(), retryAfter(err))
		if time.Now().Add(d).After(limit) && ctx.Err() == nil {
			return err
		}
		sub.pause(ctx, d)
		switch {
		case ctx.Err() != nil || sub.ended():
			return errLetGo
		case sub.stopping():
			return fmt.Errorf("%w: %w", errPutBack, err)
		}
	}
}

// retryAfter returns when the dependency itself said that it makes sense.
func retryAfter(err error) time.Duration {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.RetryAfter
	}
	return 0
}
