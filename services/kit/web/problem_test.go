package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// inner is text that must reach the log and no client.
const inner = "dial db-0.internal: password hunter2"

func TestEveryErrorIsAProblem(t *testing.T) {
	t.Parallel()
	cause := errors.New(inner)
	tests := map[string]struct {
		err    error
		status int
		detail string
		header map[string]string
	}{
		"unknown":       {err: cause, status: 500},
		"internal":      {err: fault.Wrap(fault.Internal, cause, ""), status: 500},
		"invalid":       {err: fault.Wrap(fault.Invalid, cause, "no such level"), status: 400, detail: "no such level"},
		"not found":     {err: fault.Wrap(fault.NotFound, cause, "no such order"), status: 404, detail: "no such order"},
		"conflict":      {err: fault.Wrap(fault.Conflict, cause, "shipped"), status: 409, detail: "shipped"},
		"unavailable":   {err: fault.Wrap(fault.Unavailable, cause, "try later"), status: 503, detail: "try later"},
		"wrapped":       {err: fmt.Errorf("load: %w", fault.Wrap(fault.NotFound, cause, "gone")), status: 404, detail: "gone"},
		"another code":  {err: Status(422, fault.Wrap(fault.Invalid, cause, "key reused")), status: 422, detail: "key reused"},
		"a lost answer": {err: fmt.Errorf("call: %w", context.DeadlineExceeded), status: 503},
		"retry after": {
			err:    &fault.Error{Kind: fault.Unavailable, Public: "full", RetryAfter: 1500 * time.Millisecond, Cause: cause},
			status: 503, detail: "full", header: map[string]string{"Retry-After": "2"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, small(), nil)
			b.Engine.GET("/fail", Handle(func(*gin.Context) error { return tc.err }))
			w := b.do(get("/fail"))
			got := problem(t, w, tc.status)
			if got.Detail != tc.detail {
				t.Errorf("detail = %q, want %q", got.Detail, tc.detail)
			}
			for k, v := range tc.header {
				diff(t, v, w.Header().Get(k))
			}
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("the cause shows:\n%s", w.Body)
			}
			lines := b.log.lines(t, "request handled")
			if len(lines) != 1 || lines[0]["request_id"] != got.RequestID || lines[0]["err"] != tc.err.Error() {
				t.Errorf("the log must have the error once, under the request's id: %v", lines)
			}
		})
	}
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	if Status(422, nil) != nil {
		t.Error("no error has no status")
	}
}

func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	var fields []fault.Field
	for i := range 1000 {
		fields = append(fields, fault.Field{Name: fmt.Sprintf("items[%d]", i), Rule: "is required"})
	}
	b := newBench(t, small(), nil)
	b.Engine.GET("/fail", Handle(func(*gin.Context) error { return fault.InvalidFields("no", fields...) }))
	p := problem(t, b.do(get("/fail")), 400)
	if len(p.Errors) != mostFields || p.Errors[0] != (FieldError{Field: "items[0]", Rule: "is required"}) {
		t.Errorf("%d errors, the first %v", len(p.Errors), p.Errors[0])
	}
}

func TestRouterErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	problem(t, b.do(get("/nothing")), 404)
	problem(t, b.do(get("/api/things/")), 404)
	w := b.do(post(goodThing))
	if w.Code != 200 {
		t.Fatalf("status = %d: %s", w.Code, w.Body)
	}
	r := post(goodThing)
	r.Method = http.MethodDelete
	w = b.do(r)
	problem(t, w, 405)
	if allow := w.Header().Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
		t.Errorf("Allow = %q", allow)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.GET("/panic", func(*gin.Context) { panic(inner) })
	w := b.do(get("/panic"))
	p := problem(t, w, 500)
	if p.Detail != "" || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("the panic shows:\n%s", w.Body)
	}
	lines := b.log.lines(t, "request handled")
	if len(lines) != 1 || lines[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(lines[0]["err"]), "problem_test.go") {
		t.Errorf("the log must have the stack, once: %v", lines)
	}
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.GET("/slow", Handle(func(c *gin.Context) error { return Context(c).Err() }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.do(get("/slow").WithContext(ctx))
	lines := b.log.lines(t, "request handled")
	if len(lines) != 1 || lines[0]["status"] != float64(statusClientGone) || lines[0]["level"] != "INFO" {
		t.Errorf("lines = %v", lines)
	}
}

func TestHooksOfGeneratedCode(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	bind := func(text string) func(*gin.Context) {
		return func(c *gin.Context) { BindError(c, errors.New(text), http.StatusBadRequest) }
	}
	tests := map[string]struct {
		handle func(*gin.Context)
		status int
		errors []FieldError
	}{
		"parameter of the wrong form": {
			bind("Invalid format for parameter limit: " + value), 400, []FieldError{{"limit", "cannot be read"}},
		},
		"header twice": {
			bind("Expected one value for Idempotency-Key, got 2"), 400,
			[]FieldError{{"Idempotency-Key", "must be given once"}},
		},
		"header missing": {
			bind("Header parameter Idempotency-Key is required, but not found"), 400,
			[]FieldError{{"Idempotency-Key", "is required"}},
		},
		"another text": {bind(value), 400, nil},
		"body": {
			func(c *gin.Context) { RequestError(c, c.ShouldBindJSON(&struct{ Name int8 }{})) }, 400,
			[]FieldError{{"Name", "is of the wrong type or out of range"}},
		},
		"answer":           {func(c *gin.Context) { ResponseError(c, errors.New(value)) }, 500, nil},
		"answer, no field": {func(c *gin.Context) { RequestError(c, errors.New(value)) }, 400, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, small(), func(o *Options) { o.Spec = nil })
			b.Engine.POST("/api/things", tc.handle)
			w := b.do(post(`{"Name": 4711}`))
			p := problem(t, w, tc.status)
			diff(t, tc.errors, p.Errors)
			if strings.Contains(w.Body.String(), value) || strings.Contains(w.Body.String(), "4711") {
				t.Errorf("the value shows:\n%s", w.Body)
			}
		})
	}
}
