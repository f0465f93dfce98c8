package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"parley.sh/services/kit/fault"
)

// Problem is the target's own account of a refusal: a problem+json document (RFC
// 9457) with the extensions of this platform, as far as the answer had one. It is
// the Cause of the errors of Check; get it with errors.As. Its texts are the target's:
// they are for logs and decisions, not for a client's eyes.
type Problem struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	// Code names the case for programs, such as "declined".
	Code string `json:"code"`
	// Errors lists the fields that were refused.
	Errors []ProblemField `json:"errors"`
}

// ProblemField is one refused field.
type ProblemField struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
}

// Error implements error.
func (p *Problem) Error() string {
	text := fmt.Sprintf("answered %d", p.Status)
	for _, more := range []string{p.Code, p.Title, p.Detail} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

// Check turns the result of a call into an error with a kind, or nil for a status
// of 2xx. It takes what a generated client returns: the response (nil when there was
// none), the body that was read, and the error.
//
//	no answer, 408, 425, 429, 5xx   Unavailable, with Retry-After
//	404, 410                        NotFound
//	409                             Conflict
//	401, 403, 407                   Internal: says nothing about the request
//	other 4xx                       Invalid, with the fields named
//	1xx, 3xx                        Internal
//
// 501 and 505 are Internal too: waiting does not change them. Cause is a *Problem
// whenever there was an answer.
func Check(resp *http.Response, body []byte, err error) error {
	if err != nil {
		return classify(err)
	}
	if resp == nil {
		return fault.New(fault.Internal, "")
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	p := readProblem(resp, body)
	f := &fault.Error{Kind: kindOf(resp.StatusCode), Cause: p}
	if f.Kind == fault.Unavailable {
		f.RetryAfter = retryAfter(resp.Header, time.Now())
	}
	if f.Kind == fault.Invalid {
		for _, e := range p.Errors {
			f.Fields = append(f.Fields, fault.Field{Name: e.Field, Rule: e.Rule})
		}
	}
	return f
}

func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fault.Internal
	}
	switch o := ofStatus(status); {
	case o.again():
		return fault.Unavailable
	case o == refused:
		return fault.Invalid
	}
	return fault.Internal
}

// classify gives an error without a kind one: what cannot be decoded is a defect of
// one side, Internal, and never looks like an outage.
func classify(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	return fault.Wrap(fault.KindOf(err), err, "")
}

func readProblem(resp *http.Response, body []byte) *Problem {
	var p Problem
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && (media == "application/problem+json" || media == "application/json") {
		if json.Unmarshal(body, &p) != nil {
			p = Problem{}
		}
	}
	p.Status = resp.StatusCode
	return &p
}

// failure is the error of a call that has no answer.
func (t *target) failure(a *answer) error {
	if a.outcome == unsendable {
		return fault.Wrap(fault.Internal, fmt.Errorf("call %s: %w", t.name, a.err), "")
	}
	return &fault.Error{
		Kind:       fault.Unavailable,
		Public:     t.name + " cannot answer now",
		RetryAfter: a.after,
		Cause:      fmt.Errorf("call %s: %w", t.name, a.err),
	}
}
