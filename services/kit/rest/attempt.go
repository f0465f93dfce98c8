package rest

import (
	"context"
	"net/http"
	"time"
)

// attempt sends the request once. The timeout ends it until the answer begins, or
// until all of a failed answer is read; the call's deadline ends it after that.
func (c *call) attempt(ctx context.Context) *answer {
	n := c.sent.Add(1)
	if n == 1 {
		c.budget.earn()
	}
	ctx, span := c.startSpan(ctx, n)
	ctx, cancel := context.WithCancelCause(ctx)
	a := &answer{stream: stream{left: c.cfg.MaxResponse, deadline: c.deadline, cancel: cancel}}
	a.stream.timer = time.AfterFunc(min(time.Until(c.deadline), c.cfg.AttemptTimeout), a.stream.expire)
	c.send(ctx, n, a)
	switch {
	case !a.streaming():
		a.stream.release()
	case a.stream.begin(a.response.Body):
		a.response.Body = &a.stream
	default: // the timer fired between the head of the answer and here: no body can be read
		_ = a.response.Body.Close()
		a.stream.release()
		a.outcome, a.response, a.err = timedOut, nil, errTimeout
	}
	endSpan(span, a)
	c.metrics.attempted(a.outcome)
	return a
}

// send is the attempt itself: one request, one answer, judged.
func (c *call) send(ctx context.Context, n int32, a *answer) {
	req, err := c.prepare(ctx, n)
	if err != nil {
		a.outcome, a.err = unsendable, err
		return
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		a.outcome, a.err = ofError(ctx, err), err
		if cause := context.Cause(ctx); cause != nil {
			a.err = cause
		}
		return
	}
	a.outcome, a.response = ofStatus(resp.StatusCode), resp
	if a.outcome.again() {
		a.after = retryAfter(resp.Header, time.Now())
		buffer(resp)
	}
}

// streaming reports whether the answer's body still comes from a connection.
func (a *answer) streaming() bool {
	return a.response != nil && !a.outcome.again() && a.response.Body != http.NoBody
}

// discard closes an answer that nobody will read.
func (a *answer) discard() {
	if a.streaming() {
		_ = a.response.Body.Close()
	}
}

// finish hands the chosen answer to the caller and lets go of all others.
func (c *call) finish(chosen *answer) (*http.Response, error) {
	if c.race != nil {
		c.race.finish(chosen)
	}
	if c.sent.Load() == 0 && c.request.Body != nil {
		_ = c.request.Body.Close() // a RoundTripper closes it always
	}
	if chosen.response == nil {
		return nil, c.failure(chosen)
	}
	chosen.response.Request = c.request
	return chosen.response, nil
}
