package rest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
)

// newHedge returns the policy that sends a second attempt after a while. The first
// final answer wins. It is nil when hedging is off.
func newHedge(after time.Duration) failsafe.Executor[*answer] {
	if after <= 0 {
		return nil
	}
	return failsafe.With[*answer](hedgepolicy.NewBuilderWithDelay[*answer](after).
		WithMaxHedges(1).
		CancelIf(func(a *answer, err error) bool { return err != nil || a.final }).
		Build())
}

// hedged makes an attempt, and for a GET a second one if the first is slow and both
// budget and bulkhead have room for it. A hedge never waits for room: when the
// target is loaded a second request is the last thing it needs.
func (c *call) hedged(ctx context.Context) *answer {
	if c.hedge == nil || c.request.Method != http.MethodGet {
		return c.attempt(ctx)
	}
	if c.race == nil {
		c.race = &race{}
	}
	a, err := c.hedge.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[*answer]) (*answer, error) {
		if e.IsHedge() {
			return c.second(ctx, e), nil
		}
		return c.racing(ctx, e), nil
	})
	if a == nil {
		return &answer{outcome: ofError(ctx, err), err: err}
	}
	return a
}

// second makes the hedge. One that may not be made is lost: the first attempt is
// waited for.
func (c *call) second(ctx context.Context, e failsafe.Execution[*answer]) *answer {
	if !c.bulkhead.TryAcquirePermit() {
		c.metrics.hedged("no_room")
		return &answer{lost: true}
	}
	defer c.bulkhead.ReleasePermit()
	if !c.budget.take() {
		c.metrics.hedged("no_budget")
		return &answer{lost: true}
	}
	c.race.hedges.Add(1)
	c.metrics.hedged("sent")
	a := c.racing(ctx, e)
	if a.outcome == answered || a.outcome == refused {
		c.metrics.hedged("answered")
	}
	return a
}

// racing makes an attempt that ends when the policy drops it. It does not run on
// the policy's own context, which ends for the winner too, with its body unread.
func (c *call) racing(ctx context.Context, e failsafe.Execution[*answer]) *answer {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.Context(), func() { cancel(errLost) }) //nolint:contextcheck // it is watched
	a := c.attempt(ctx)
	stop()
	if a.streaming() {
		c.race.keep(a)
	} else {
		cancel(nil)
	}
	a.final = !a.outcome.again() || c.race.hedges.Load() == 0
	return a
}

// race holds the streaming answers of a hedged call until one is chosen. The hedge
// policy drops the others without a word.
type race struct {
	hedges atomic.Int32

	mu   sync.Mutex
	kept []*answer
	done bool
}

// keep remembers an answer, or closes one that comes after the choice.
func (r *race) keep(a *answer) {
	r.mu.Lock()
	done := r.done
	if !done {
		r.kept = append(r.kept, a)
	}
	r.mu.Unlock()
	if done {
		a.discard()
	}
}

// finish closes all answers but the chosen one.
func (r *race) finish(chosen *answer) {
	r.mu.Lock()
	r.done = true
	kept := r.kept
	r.mu.Unlock()
	for _, a := range kept {
		if a != chosen {
			a.discard()
		}
	}
}
