package rest

import (
	"context"
	"time"

	"parley.sh/services/kit/fault"
)

// Fallback answers in the target's place. cause says why the target did not.
type Fallback[T any] func(ctx context.Context, cause error) (T, error)

// Call makes one typed call through c: it runs call, and if that fails as
// Unavailable, fallback, whose result is then the result. A nil fallback is none.
// Other kinds are answers and are never papered over: a product that does not exist
// does not begin to when the fallback is asked.
//
// call gets Config.Timeout at most, and with a fallback at most four fifths of the
// time that ctx leaves, so that a target that hangs cannot use up the time of its
// own replacement. When ctx itself has ended there is nobody to answer and the
// fallback is not run.
func Call[T any](
	ctx context.Context, c *Client, call func(context.Context) (T, error), fallback Fallback[T],
) (T, error) {
	value, err := within(ctx, c.target.share(ctx, fallback != nil), call)
	if err == nil || fallback == nil || !fault.Is(err, fault.Unavailable) || ctx.Err() != nil {
		return value, err
	}
	value, err = fallback(ctx, err)
	if err != nil {
		c.target.metrics.fellBack("failed")
		return value, err
	}
	c.target.metrics.fellBack("answered")
	return value, nil
}

func within[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}

// share returns the time that a call may take.
func (t *target) share(ctx context.Context, fallback bool) time.Duration {
	limit := t.cfg.Timeout
	if end, ok := ctx.Deadline(); ok && fallback {
		limit = min(limit, time.Until(end)*4/5)
	}
	return limit
}
