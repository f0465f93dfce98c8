package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

// check is Check of an answer that was read.
func check(code int, body []byte, header ...string) error {
	resp := reply(code, "", header...)
	defer func() { _ = resp.Body.Close() }()
	return rest.Check(resp, body, nil)
}

func TestKindsOfStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]fault.Kind{
		400: fault.Invalid, 402: fault.Invalid, 405: fault.Invalid,
		413: fault.Invalid, 415: fault.Invalid, 422: fault.Invalid,
		401: fault.Internal, 403: fault.Internal, 407: fault.Internal,
		404: fault.NotFound, 410: fault.NotFound,
		409: fault.Conflict,
		408: fault.Unavailable, 425: fault.Unavailable, 429: fault.Unavailable,
		500: fault.Unavailable, 502: fault.Unavailable, 503: fault.Unavailable,
		504: fault.Unavailable, 599: fault.Unavailable,
		501: fault.Internal, 505: fault.Internal,
		100: fault.Internal, 301: fault.Internal, 304: fault.Internal,
	} {
		err := check(code, nil)
		if err == nil || fault.KindOf(err) != want {
			t.Errorf("%d: got %v of kind %v, want %v", code, err, fault.KindOf(err), want)
		}
		var p *rest.Problem
		if !errors.As(err, &p) || p.Status != code {
			t.Errorf("%d: no problem of that status in %v", code, err)
		}
	}
	for _, code := range []int{200, 201, 202, 204, 299} {
		if err := check(code, nil); err != nil {
			t.Errorf("%d: got %v", code, err)
		}
	}
}

func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"already a fault":    {fmt.Errorf("check stock: %w", fault.New(fault.Conflict, "so")), fault.Conflict},
		"wrapped by a url":   {&url.Error{Op: "Get", URL: "u", Err: fault.New(fault.NotFound, "no")}, fault.NotFound},
		"deadline":           {context.DeadlineExceeded, fault.Unavailable},
		"network":            {&url.Error{Op: "Get", URL: "u", Err: io.EOF}, fault.Unavailable},
		"cannot be decoded":  {&json.SyntaxError{}, fault.Internal},
		"nothing whatsoever": {errors.New("?"), fault.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := rest.Check(nil, nil, tt.err)
			if fault.KindOf(err) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %v of kind %v, want %v", err, fault.KindOf(err), tt.want)
			}
		})
	}
	if err := rest.Check(nil, nil, nil); fault.KindOf(err) != fault.Internal || err == nil {
		t.Errorf("neither answer nor error: got %v", err)
	}
}

func TestTheTargetsOwnAccountIsRead(t *testing.T) {
	t.Parallel()
	const document = `{"type":"about:blank","title":"Bad Request","status":999,"detail":"d","code":"declined",
		"errors":[{"field":"items[0].quantity","rule":"must be at least 1"}]}`
	full := rest.Problem{
		Status: 400, Type: "about:blank", Title: "Bad Request", Detail: "d", Code: "declined",
		Errors: []rest.ProblemField{{Field: "items[0].quantity", Rule: "must be at least 1"}},
	}
	tests := map[string]struct {
		media, body string
		want        rest.Problem
	}{
		"problem+json":     {"application/problem+json; charset=utf-8", document, full},
		"json":             {"application/json", document, full},
		"another media":    {"text/html", document, rest.Problem{Status: 400}},
		"no media":         {"", document, rest.Problem{Status: 400}},
		"malformed":        {"application/problem+json", document[:40], rest.Problem{Status: 400}},
		"another document": {"application/problem+json", `{"title":7,"detail":"x"}`, rest.Problem{Status: 400}},
		"not an object":    {"application/problem+json", `[]`, rest.Problem{Status: 400}},
		"empty":            {"application/problem+json", ``, rest.Problem{Status: 400}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := check(400, []byte(tt.body), "Content-Type", tt.media)
			var p *rest.Problem
			if !errors.As(err, &p) {
				t.Fatalf("no problem in %v", err)
			}
			if diff := cmp.Diff(tt.want, *p); diff != "" {
				t.Error(diff)
			}
			var f *fault.Error
			if errors.As(err, &f); len(f.Fields) != len(tt.want.Errors) || f.Public != "" {
				t.Errorf("got fields %v and public text %q", f.Fields, f.Public)
			}
		})
	}
}

func TestRetryAfterOfAnAnswer(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "soon": 0, "": 0, "99999999999999999999": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		var f *fault.Error
		if err := check(503, nil, "Retry-After", value); !errors.As(err, &f) || f.RetryAfter != want {
			t.Errorf("%q: got %v, want %v", value, f.RetryAfter, want)
		}
	}
	var f *fault.Error
	if errors.As(check(400, nil, "Retry-After", "7"), &f); f.RetryAfter != 0 {
		t.Errorf("an invalid request has retry after %v", f.RetryAfter)
	}
}

func TestCallsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	refused := func(*http.Request) (*http.Response, error) { return nil, io.ErrClosedPipe }
	c, _ := faked(transport(refused), once)
	err := failed(t.Context(), t, c)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Unavailable || !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("got %v", err)
	}
	if f.Public != "target cannot answer now" {
		t.Errorf("the public text is %q", f.Public)
	}
	if checked := rest.Check(nil, nil, err); !errors.Is(checked, err) || fault.KindOf(checked) != fault.Unavailable {
		t.Errorf("checked: %v", checked)
	}
}

// A port that nobody listens on, for real.
func TestARefusedConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	cfg := config(once)
	cfg.URL = "http://127.0.0.1:1"
	c := rest.New(cfg, rest.Options{Name: "target"})
	defer c.Close()
	if err := failed(t.Context(), t, c); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want kind Unavailable", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(400, "application/problem+json", "3", []byte(`{"status":1,"errors":[{"field":"a","rule":"b"}]}`))
	f.Add(503, "application/json; q", "Mon, 02 Jan 2006 15:04:05 GMT", []byte(`{"errors":null}`))
	f.Add(204, "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, code int, media, after string, body []byte) {
		err := check(code, body, "Content-Type", media, "Retry-After", after)
		if (err == nil) != (code >= 200 && code < 300) {
			t.Fatalf("%d: got %v", code, err)
		}
		if err == nil {
			return
		}
		var e *fault.Error
		var p *rest.Problem
		if !errors.As(err, &e) || !errors.As(err, &p) || p.Status != code || e.RetryAfter < 0 || e.Public != "" {
			t.Fatalf("%d: got %#v with %#v", code, e, p)
		}
	})
}
