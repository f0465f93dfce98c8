package rest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"parley.sh/services/kit/deadline"
)

// maxReplay is the longest body that is copied so that it can be sent again when
// the request has no GetBody. Longer ones are sent once.
const maxReplay = 64 << 10

// begin prepares a call. The caller of RoundTrip keeps its request as it was.
func (t *target) begin(req *http.Request, now time.Time) *call {
	c := &call{target: t, request: req, deadline: now.Add(t.cfg.Timeout)}
	c.ctx = req.Context()
	if d, ok := c.ctx.Deadline(); ok && d.Before(c.deadline) {
		c.deadline = d
	}
	c.deadlineText = []string{deadline.Format(c.deadline)}
	c.repeatable = idempotent(req)
	if c.repeatable {
		c.repeatable = c.rewindable()
	}
	return c
}

// idempotent reports whether req has the same effect sent once or twice: by its
// method (RFC 9110, 9.2.2) or by a key that the target knows it by.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}

// rewindable prepares the body to be sent more than once and reports whether it can be.
func (c *call) rewindable() bool {
	if c.request.Body == nil || c.request.Body == http.NoBody {
		return true
	}
	if c.request.GetBody != nil {
		c.body = c.request.GetBody
		return true
	}
	start, err := io.ReadAll(io.LimitReader(c.request.Body, maxReplay+1))
	if err == nil && len(start) <= maxReplay {
		_ = c.request.Body.Close() // it was read to its end
		c.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(start)), nil }
		c.request = withBody(c.request, http.NoBody)
		return true
	}
	rest := io.MultiReader(bytes.NewReader(start), failing{err}, c.request.Body)
	c.request = withBody(c.request, readCloser{rest, c.request.Body})
	return false
}

func withBody(req *http.Request, body io.ReadCloser) *http.Request {
	own := *req
	own.Body = body
	return &own
}

type readCloser struct {
	io.Reader
	io.Closer
}

// failing is an empty reader that ends with err, if there is one.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// prepare returns the request of attempt n, counted from 1.
func (c *call) prepare(ctx context.Context, n int32) (*http.Request, error) {
	req := c.request.WithContext(ctx)
	if c.body != nil {
		body, err := c.body()
		if err != nil {
			return nil, fmt.Errorf("%w: rewind its body: %w", errUnsendable, err)
		}
		if n == 1 {
			_ = c.request.Body.Close() // its copies are sent in its place
		}
		req.Body = body
	}
	header := make(http.Header, len(c.request.Header)+3)
	for name, values := range c.request.Header {
		header[name] = values
	}
	header[deadline.Header] = c.deadlineText
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))
	req.Header = header
	return req, nil
}

// sendable refuses what no transport could send; the transport's own errors for it
// cannot be told from a lost connection.
func sendable(req *http.Request) error {
	if req.URL == nil || req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: its URL has no http or https scheme with a host", errUnsendable)
	}
	return nil
}
