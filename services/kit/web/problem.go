package web

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// ProblemType is the media type of errors.
const ProblemType = "application/problem+json"

// statusClientGone is logged and counted when nobody waits for the answer. It is
// nginx's number: HTTP has none, as nobody can receive it.
const statusClientGone = 499

// Problem is the body of an error, RFC 9457. Type is always about:blank, so Title
// is that of the status.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is the public text of the fault, if it has one.
	Detail string `json:"detail,omitempty"`
	// RequestID is what to quote when asking about this error.
	RequestID string `json:"requestId,omitempty"`
	// Errors lists what is wrong with the request, at most 32 entries.
	Errors []FieldError `json:"errors,omitempty"`
}

// FieldError names one field of a request and the rule it breaks.
type FieldError struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

// mostFields bounds Problem.Errors: a body of a megabyte can break a rule a
// hundred thousand times.
const mostFields = 32

// errorKey is where WriteError leaves the error for the request's log line.
const errorKey = "parley.sh/web/error"

// Status gives err an HTTP status other than that of its kind, such as 422 for an
// Idempotency-Key that was used with another body.
func Status(code int, err error) error {
	if err == nil {
		return nil
	}
	return &statusError{code: code, err: err}
}

type statusError struct {
	code int
	err  error
}

// Error implements error.
func (s *statusError) Error() string { return s.err.Error() }

// Unwrap returns the error without the status.
func (s *statusError) Unwrap() error { return s.err }

// WriteError ends the request with err as problem+json: the status by its kind (or
// Status), its public text, its fields, and Retry-After when it has one. Nothing
// else writes errors. The cause goes into the request's log line only. When the
// answer has begun already, only the log gets it.
func WriteError(c *gin.Context, err error) {
	c.Abort()
	c.Set(errorKey, err)
	if c.Writer.Written() {
		return
	}
	code := statusOf(c.Request.Context(), err)
	if code == statusClientGone {
		c.Status(code)
		return
	}
	problem := problemOf(code, err)
	problem.RequestID = RequestID(c.Request.Context())
	body, _ := json.Marshal(problem) // strings and numbers only
	h := c.Writer.Header()
	if after := retryAfter(err); after > 0 {
		h.Set("Retry-After", strconv.Itoa(after))
	}
	h.Set("Content-Type", ProblemType)
	h.Set("Cache-Control", "no-store")
	c.Status(code)
	_, _ = c.Writer.Write(body)
}

// statusOf returns the status of err. A failure of what the request depends on is
// told apart by the request's own context: its deadline passed, or its client left.
func statusOf(ctx context.Context, err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.code
	}
	kind := fault.KindOf(err)
	if kind == fault.Unavailable {
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return http.StatusGatewayTimeout
		case errors.Is(ctx.Err(), context.Canceled):
			return statusClientGone
		}
	}
	return fault.Of(kind).Status
}

func problemOf(code int, err error) Problem {
	p := Problem{Type: "about:blank", Title: http.StatusText(code), Status: code}
	var f *fault.Error
	if !errors.As(err, &f) {
		return p
	}
	p.Detail = f.Public
	for _, field := range f.Fields[:min(len(f.Fields), mostFields)] {
		p.Errors = append(p.Errors, FieldError{Field: field.Name, Rule: field.Rule})
	}
	return p
}

// retryAfter returns whole seconds, rounded up; zero means unknown.
func retryAfter(err error) int {
	var f *fault.Error
	if !errors.As(err, &f) || f.RetryAfter <= 0 {
		return 0
	}
	return int(math.Ceil(f.RetryAfter.Seconds()))
}
