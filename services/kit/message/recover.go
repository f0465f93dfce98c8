package message

import (
	"context"
	"fmt"
	"runtime/debug"

	"parley.sh/services/kit/fault"
)

// Recover turns a panic of a handler into an Internal error that holds the stack,
// so that one message cannot end the process.
func Recover() Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m Message) error {
			return recovered(ctx, m, next)
		}
	}
}

func recovered(ctx context.Context, m Message, next Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(fault.Internal, fmt.Errorf("%v\n%s", p, debug.Stack()), "handler panicked")
		}
	}()
	return next(ctx, m)
}
