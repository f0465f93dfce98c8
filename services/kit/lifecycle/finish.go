package lifecycle

import (
	"context"
	"time"
)

type hardKey struct{}

// Finish returns the context for work in flight: it has ctx's values but ends with
// the hard stop, not when ctx is told to take no more work. ctx is, or comes
// from, the context of a Part; of any other context Finish returns one that never
// ends. Deadlines of ctx are left behind: set the work's own on the result.
func Finish(ctx context.Context) context.Context {
	hard, ok := ctx.Value(hardKey{}).(context.Context)
	if !ok {
		return context.WithoutCancel(ctx)
	}
	return finishing{values: ctx, hard: hard}
}

// finishing takes its end from hard and its values from values. hard holds no
// values of its own, so the one key it answers is the context package's private
// one, by which children and Cause find the context that cancels them.
type finishing struct {
	values, hard context.Context
}

// Deadline implements context.Context.
func (f finishing) Deadline() (time.Time, bool) { return f.hard.Deadline() }

// Done implements context.Context.
func (f finishing) Done() <-chan struct{} { return f.hard.Done() }

// Err implements context.Context.
func (f finishing) Err() error { return f.hard.Err() }

// Value implements context.Context.
func (f finishing) Value(key any) any {
	if v := f.hard.Value(key); v != nil {
		return v
	}
	return f.values.Value(key)
}
