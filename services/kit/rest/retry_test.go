package rest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	keyed := call{method: "POST", header: []string{"Idempotency-Key", "k"}}
	later := func(after string) transport { return status(503, "Retry-After", after) }
	tests := map[string]struct {
		call   call
		target []transport
		sent   int32
		status int
	}{
		"first answer":              {call{method: "GET"}, []transport{status(200)}, 1, 200},
		"broken twice":              {call{method: "GET"}, []transport{status(503), status(500), status(200)}, 3, 200},
		"broken for good":           {call{method: "GET"}, []transport{status(502)}, 3, 502},
		"connection lost":           {call{method: "GET"}, []transport{lost, status(204)}, 2, 204},
		"connection lost for good":  {call{method: "GET"}, []transport{lost}, 3, 0},
		"too many requests":         {call{method: "GET"}, []transport{status(429), status(200)}, 2, 200},
		"no answer in time":         {call{method: "GET"}, []transport{hang, status(200)}, 2, 200},
		"not found":                 {call{method: "GET"}, []transport{status(404)}, 1, 404},
		"not implemented":           {call{method: "GET"}, []transport{status(501)}, 1, 501},
		"redirect":                  {call{method: "GET"}, []transport{status(302, "Location", "/y")}, 1, 302},
		"head":                      {call{method: "HEAD"}, []transport{status(503), status(200)}, 2, 200},
		"put":                       {call{method: "PUT"}, []transport{status(503), status(200)}, 2, 200},
		"delete":                    {call{method: "DELETE"}, []transport{lost, status(204)}, 2, 204},
		"post":                      {call{method: "POST"}, []transport{status(503), status(200)}, 1, 503},
		"post, connection lost":     {call{method: "POST"}, []transport{lost, status(200)}, 1, 0},
		"post with a key":           {keyed, []transport{status(503), status(200)}, 2, 200},
		"patch":                     {call{method: "PATCH"}, []transport{status(503), status(200)}, 1, 503},
		"retry after, in time":      {call{method: "GET"}, []transport{later("2"), status(200)}, 2, 200},
		"retry after the deadline":  {call{method: "GET"}, []transport{later("60"), status(200)}, 1, 503},
		"retry after, not a number": {call{method: "GET"}, []transport{later("soon"), status(200)}, 2, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				target := steps(tt.target...)
				c, _ := faked(target)
				got := discard(tt.call.send(t.Context(), t, c))
				if got != tt.status || target.sent.Load() != tt.sent {
					t.Errorf("got status %d after %d requests, want %d after %d",
						got, target.sent.Load(), tt.status, tt.sent)
				}
			})
		})
	}
}

func TestBodiesAreSentWholeEachTime(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200<<10)
	tests := map[string]struct {
		body io.Reader
		want string
		sent int32
	}{
		"with GetBody":           {strings.NewReader("hello"), "hello", 3},
		"long, with GetBody":     {strings.NewReader(long), long, 3},
		"only a reader":          {io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")), "hello", 3},
		"only a reader, empty":   {io.MultiReader(), "", 3},
		"only a reader, longest": {io.MultiReader(strings.NewReader(long[:64<<10])), long[:64<<10], 3},
		"only a reader, long":    {io.MultiReader(strings.NewReader(long)), long, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			target := steps(func(req *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(req.Body)
				got = append(got, string(b))
				if err != nil {
					return nil, err
				}
				return reply(503, ""), nil
			})
			c, _ := faked(target, func(c *rest.Config) { c.RetryPause = time.Millisecond })
			_ = discard(call{method: "PUT", body: tt.body}.send(t.Context(), t, c))
			if int32(len(got)) != tt.sent {
				t.Fatalf("sent %d times, want %d", len(got), tt.sent)
			}
			for i, b := range got {
				if b != tt.want {
					t.Errorf("request %d had %d bytes, want %d", i+1, len(b), len(tt.want))
				}
			}
		})
	}
}

// closing counts how often a body was closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

func TestTheRequestsBodyIsClosedWhateverHappens(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx    context.Context
		method string
		target transport
	}{
		"answered":        {t.Context(), "PUT", status(200)},
		"sent once":       {t.Context(), "POST", status(200)},
		"failed":          {t.Context(), "PUT", status(503)},
		"connection lost": {t.Context(), "PUT", lost},
		"never sent":      {ended, "PUT", status(200)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{"short", strings.Repeat("x", 100<<10)} {
				c, _ := faked(tt.target, func(c *rest.Config) { c.RetryPause = time.Millisecond })
				body := &closing{Reader: strings.NewReader(text)}
				_ = discard(call{method: tt.method, body: body}.send(tt.ctx, t, c))
				if body.closed == 0 {
					t.Errorf("a body of %d bytes was not closed", len(text))
				}
			}
		})
	}
}

func TestTheCallersRequestIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	c, _ := faked(steps(status(503), status(200)))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://target/x", bytes.NewReader([]byte("b")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Own", "1")
	body := req.Body
	_ = discard(c.Do(req))
	if len(req.Header) != 1 || req.Body != body {
		t.Errorf("the request was changed: %v", req.Header)
	}
}

func TestPausesAreSpreadOverTheWholeRange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pauses [2][]time.Duration
		var last time.Time
		target := steps(nil)
		n := 0
		target.steps[0] = func(*http.Request) (*http.Response, error) {
			if n%3 > 0 {
				pauses[n%3-1] = append(pauses[n%3-1], time.Since(last))
			}
			n++
			last = time.Now()
			return reply(503, ""), nil
		}
		c, _ := faked(target, breakerOff, plenty, func(c *rest.Config) { c.RetryPause = 100 * time.Millisecond })
		for range 200 {
			_ = discard(get(t.Context(), t, c))
		}
		for i, longest := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond} {
			least, most := longest, time.Duration(0)
			for _, p := range pauses[i] {
				least, most = min(least, p), max(most, p)
			}
			if len(pauses[i]) != 200 || most > longest || least > longest/10 || most < longest*9/10 {
				t.Errorf("pauses before retry %d: %d, from %v to %v, want 200 spread over 0 to %v",
					i+1, len(pauses[i]), least, most, longest)
			}
		}
	})
}

func TestRetryAfterIsTheLeastPause(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ value func() string }{
		"seconds": {func() string { return "2" }},
		"a date":  {func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c, _ := faked(steps(status(429, "Retry-After", tt.value()), status(200)))
				if got := discard(get(t.Context(), t, c)); got != 200 {
					t.Fatalf("got %d", got)
				}
				if took := time.Since(start); took < 2*time.Second || took > 2*time.Second+50*time.Millisecond {
					t.Errorf("tried again after %v, want 2s and up to 50ms", took)
				}
			})
		})
	}
}

func TestARefusedRetryDoesNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, reg := faked(status(503, "Retry-After", "60"))
		if got := discard(get(t.Context(), t, c)); got != 503 {
			t.Fatalf("got %d", got)
		}
		if time.Since(start) != 0 {
			t.Errorf("took %v, want no time", time.Since(start))
		}
		if got := metric(t, reg, "rest_client_retries_refused_total", "reason", "deadline"); got != 1 {
			t.Errorf("refused %v retries for the deadline, want 1", got)
		}
	})
}

func TestACallerThatGoesAwayEndsThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		target := steps(status(503, "Retry-After", "2"))
		c, _ := faked(target)
		err := failed(ctx, t, c)
		if !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want a canceled call of kind Unavailable", err)
		}
		if time.Since(start) != 100*time.Millisecond || target.sent.Load() != 1 {
			t.Errorf("took %v and %d requests", time.Since(start), target.sent.Load())
		}
	})
}

func TestWhatCannotBeSentIsNotTried(t *testing.T) {
	t.Parallel()
	target := steps(status(200))
	c, _ := faked(target)
	for _, url := range []string{"ftp://target/x", "http:///x", "/x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if discard(resp, err) != 0 || !fault.Is(err, fault.Internal) {
			t.Errorf("%s: got %v, want an error of kind Internal", url, err)
		}
	}
	if target.sent.Load() != 0 {
		t.Errorf("%d requests were sent", target.sent.Load())
	}
}
