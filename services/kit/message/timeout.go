package message

import (
	"context"
	"time"
)

// Timeout bounds each call of a handler to d. A handler that ends because of it
// fails with an ended context, which is Unavailable: the message is held.
func Timeout(d time.Duration) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m Message) error {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return next(ctx, m)
		}
	}
}
