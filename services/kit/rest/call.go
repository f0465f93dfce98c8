package rest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// The causes of calls that have no answer, for errors.Is. Each comes in a
// *fault.Error of kind Unavailable.
var (
	// ErrBreakerOpen means that the circuit breaker let nothing through.
	ErrBreakerOpen = errors.New("circuit breaker open")
	// ErrBulkheadFull means that too many attempts were in flight already.
	ErrBulkheadFull = errors.New("bulkhead full")
	// ErrDeadline means that the deadline had passed before anything could be sent.
	ErrDeadline = errors.New("deadline passed")
)

// errUnsendable marks requests that no target could answer.
var errUnsendable = errors.New("request cannot be sent")

// answer is how one attempt ended. A failed one holds its body in memory: it has
// no connection left to leak, whichever answer the caller gets in the end.
type answer struct {
	outcome  outcome
	response *http.Response
	err      error
	// after is the target's Retry-After, zero when it said none.
	after time.Duration
	// again says that the retry policy shall wait and try again.
	again bool
	wait  time.Duration
	// lost says that this is a hedge that was never sent.
	lost bool
	// final says that no other attempt of a hedged pair is worth waiting for.
	final bool
	// stream is the body of an answer that still comes from a connection.
	stream stream
}

// call is one call of the client: one or more attempts that share a deadline.
type call struct {
	*target
	request  *http.Request
	ctx      context.Context // that of the request, read once
	deadline time.Time
	// deadlineText is the deadline as the header carries it.
	deadlineText []string
	// body gives the request's body once more; nil when there is none or it can be
	// sent only once.
	body       func() (io.ReadCloser, error)
	repeatable bool

	tries int          // of the retry policy, which makes them one after another
	sent  atomic.Int32 // requests that went out, hedges too
	race  *race        // of a hedged call
}

// RoundTrip implements http.RoundTripper: the whole chain.
func (t *target) RoundTrip(req *http.Request) (*http.Response, error) {
	started := time.Now()
	c := t.begin(req, started)
	a := c.run(started)
	t.metrics.called(a.outcome, time.Since(started))
	return c.finish(a)
}

// newRetry returns the retry policy. How often and when is the call's decision,
// which knows the deadline and the budget: see decide.
func newRetry() failsafe.Executor[*answer] {
	return failsafe.With[*answer](retrypolicy.NewBuilder[*answer]().
		HandleIf(func(a *answer, _ error) bool { return a != nil && a.again }).
		WithMaxRetries(-1).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[*answer]) time.Duration { return e.LastResult().wait }).
		Build())
}

// run returns the answer of the call. A repeatable request that failed goes through
// the retry policy, with its first attempt as the policy's: most calls need no
// second one, and entering the policy for them would double what the chain costs.
func (c *call) run(now time.Time) *answer {
	if a := c.stillborn(now); a != nil {
		return a
	}
	first := c.once(c.ctx)
	if c.decide(first); !first.again {
		return first
	}
	next, last := first, first
	a, err := c.retry.WithContext(c.ctx).Get(func() (*answer, error) {
		if last = next; last == nil {
			last = c.once(c.ctx)
			c.decide(last)
		}
		next = nil
		return last, nil
	})
	if a == nil { // the caller went away, perhaps with an answer just there
		last.discard()
		return &answer{outcome: ofError(c.ctx, err), err: err}
	}
	return a
}

// stillborn returns the answer of a call that need not begin.
func (c *call) stillborn(now time.Time) *answer {
	if err := sendable(c.request); err != nil {
		return &answer{outcome: unsendable, err: err}
	}
	if err := c.ctx.Err(); errors.Is(err, context.Canceled) {
		return &answer{outcome: canceled, err: err}
	}
	if !now.Before(c.deadline) {
		return &answer{outcome: late, err: ErrDeadline}
	}
	return nil
}

// decide says whether a is tried again, and when. The budget's token is taken last,
// when nothing else can speak against the retry.
func (c *call) decide(a *answer) {
	c.tries++
	if !a.outcome.again() || !c.repeatable || c.tries >= c.cfg.Attempts {
		return
	}
	wait := c.pause(c.tries, a.after)
	switch {
	case time.Until(c.deadline) <= wait:
		c.metrics.refusedRetry("deadline")
	case !c.budget.take():
		c.metrics.refusedRetry("budget")
	default:
		c.metrics.retries.Inc()
		a.again, a.wait = true, wait
	}
}

// pause returns the pause before retry n: any time up to the doubled base, so that
// callers which failed together do not come back together. A Retry-After is the
// least pause, with the same spread behind it.
func (t *target) pause(n int, after time.Duration) time.Duration {
	longest := t.cfg.RetryPauseMax
	if shift := n - 1; shift < 20 {
		longest = min(longest, t.cfg.RetryPause<<shift)
	}
	if after > 0 {
		longest = t.cfg.RetryPause
	}
	return after + rand.N(longest+1) // jitter is no secret
}

// once makes one attempt, or a hedged pair, if bulkhead and breaker let it.
func (c *call) once(ctx context.Context) *answer {
	if !c.bulkhead.TryAcquirePermit() {
		wait := min(c.cfg.MaxWait, time.Until(c.deadline))
		if err := c.bulkhead.AcquirePermitWithMaxWait(ctx, max(0, wait)); err != nil {
			return c.noRoom(ctx, err)
		}
	}
	defer c.bulkhead.ReleasePermit()
	c.metrics.inFlight.Add(1)
	defer c.metrics.inFlight.Add(-1)
	if !c.breaker.allow() {
		return &answer{outcome: open, err: ErrBreakerOpen, after: c.breaker.remaining()}
	}
	a := c.hedged(ctx)
	c.breaker.record(a.outcome)
	return a
}

func (c *call) noRoom(ctx context.Context, err error) *answer {
	if errors.Is(err, bulkhead.ErrFull) {
		return &answer{outcome: full, err: ErrBulkheadFull}
	}
	return &answer{outcome: ofError(ctx, err), err: err}
}
