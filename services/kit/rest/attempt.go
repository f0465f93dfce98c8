package rest

import (
	"context"
	"net/http"
	"time"
)

// attempt sends the request once. The timeout ends it until the answer begins, or
// until all of a failed answer is read; after that only the deadline does.
func (c *call) attempt(ctx context.Context) *answer {
	n := c.sent.Add(1)
	if n == 1 {
		c.budget.earn()
	}
	ctx, span := c.startSpan(ctx, n)
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.cfg.AttemptTimeout, func() { cancel(errAttemptTimeout) })
	a := c.send(ctx, n)
	if !timer.Stop() && a.streaming() {
		// The timer fired between the head of the answer and here: its body cannot be read.
		_ = a.response.Body.Close()
		a = &answer{outcome: timedOut, err: errAttemptTimeout}
	}
	if a.streaming() {
		a.response.Body = c.limited(a.response.Body, func() { cancel(nil) })
		c.keep(a)
	} else {
		cancel(nil)
	}
	endSpan(span, a)
	c.metrics.attempted(a.outcome)
	return a
}

// send is the attempt itself: one request, one answer, judged.
func (c *call) send(ctx context.Context, n int32) *answer {
	req, err := c.prepare(ctx, n)
	if err != nil {
		return &answer{outcome: unsendable, err: err}
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		o := ofError(ctx, err)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &answer{outcome: o, err: err}
	}
	a := &answer{outcome: ofStatus(resp.StatusCode), response: resp}
	if a.outcome.again() {
		a.after = retryAfter(resp.Header, time.Now())
		buffer(resp)
	}
	return a
}

// streaming reports whether the answer's body still comes from a connection.
func (a *answer) streaming() bool {
	return a.response != nil && !a.outcome.again() && a.response.Body != http.NoBody
}

// keep remembers a streaming answer until the call has chosen, and closes one that
// comes too late: retry and hedge policies drop answers without a word when a
// call is canceled or another attempt wins.
func (c *call) keep(a *answer) {
	c.mu.Lock()
	done := c.done
	if !done {
		c.kept = append(c.kept, a)
	}
	c.mu.Unlock()
	if done {
		_ = a.response.Body.Close()
	}
}

// finish hands the chosen answer to the caller and lets go of all others.
func (c *call) finish(chosen *answer) (*http.Response, error) {
	c.mu.Lock()
	c.done = true
	kept := c.kept
	c.mu.Unlock()
	for _, a := range kept {
		if a != chosen {
			_ = a.response.Body.Close()
		}
	}
	if c.sent.Load() == 0 && c.request.Body != nil {
		_ = c.request.Body.Close() // a RoundTripper closes it always
	}
	if !chosen.streaming() {
		c.cancel()
	}
	if chosen.response == nil {
		return nil, c.failure(chosen)
	}
	chosen.response.Request = c.request
	return chosen.response, nil
}
