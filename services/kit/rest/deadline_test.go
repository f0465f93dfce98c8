package rest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	kit "parley.sh/services/kit/config"
	"parley.sh/services/kit/deadline"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/kit/web"
)

func TestTheNearerDeadlineIsSentOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ callers, want time.Duration }{
		"the caller's":     {time.Second, time.Second},
		"the target's":     {time.Minute, 4 * time.Second},
		"the only one":     {0, 4 * time.Second},
		"less than a tick": {1500 * time.Microsecond, 1500 * time.Microsecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.callers > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.callers)
					defer cancel()
				}
				var sent []string
				c, _ := faked(steps(func(req *http.Request) (*http.Response, error) {
					sent = append(sent, req.Header.Get(deadline.Header))
					return reply(503, ""), nil
				}), func(c *rest.Config) { c.Attempts, c.RetryPause = 2, time.Microsecond })
				want := deadline.Format(time.Now().Add(tt.want))
				_ = discard(get(ctx, t, c))
				if len(sent) != 2 || sent[0] != want || sent[1] != want {
					t.Errorf("sent %q, want twice %q", sent, want)
				}
			})
		})
	}
}

func TestAPassedDeadlineSendsNothing(t *testing.T) {
	t.Parallel()
	target := steps(status(200))
	c, reg := faked(target)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	err := failed(ctx, t, c)
	if !errors.Is(err, rest.ErrDeadline) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want a passed deadline of kind Unavailable", err)
	}
	if target.sent.Load() != 0 {
		t.Errorf("%d requests were sent", target.sent.Load())
	}
	if got := metric(t, reg, "rest_client_calls_total", "outcome", "deadline"); got != 1 {
		t.Errorf("%v calls counted as too late, want 1", got)
	}
}

func TestTheDeadlineEndsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := steps(hang)
		c, _ := faked(target, func(c *rest.Config) { c.Timeout, c.Attempts = 2500*time.Millisecond, 10 })
		start := time.Now()
		err := failed(t.Context(), t, c)
		if !errors.Is(err, context.DeadlineExceeded) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want a deadline of kind Unavailable", err)
		}
		if took := time.Since(start); took != 2500*time.Millisecond || target.sent.Load() != 3 {
			t.Errorf("took %v and %d requests, want 2.5s and 3", took, target.sent.Load())
		}
	})
}

// The attempt's timeout is over when the answer begins; the deadline is not.
func TestTheDeadlineEndsAnAnswerThatStalls(t *testing.T) {
	t.Parallel()
	c := served(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done(): // the client has closed its connection
		case <-time.After(10 * time.Second):
			t.Error("the stalled answer was not given up")
		}
	}, func(c *rest.Config) { c.AttemptTimeout, c.Timeout = 100*time.Millisecond, 400*time.Millisecond })
	start := time.Now()
	resp, err := get(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	_ = resp.Body.Close()
	if string(got) != "first" || !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %q and %v, want the first part and an error of kind Unavailable", got, err)
	}
	if took < 350*time.Millisecond || took > 3*time.Second {
		t.Errorf("took %v, want the deadline of 400ms", took)
	}
}

func TestALongAnswerOutlivesTheAttemptsTimeout(t *testing.T) {
	t.Parallel()
	c := served(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 6 {
			_, _ = io.WriteString(w, "part ")
			_ = http.NewResponseController(w).Flush()
			<-time.After(50 * time.Millisecond) // the server's pace is the subject
		}
	}, func(c *rest.Config) { c.AttemptTimeout = 100 * time.Millisecond })
	resp, err := get(t.Context(), t, c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || len(got) != 30 {
		t.Errorf("got %q, %v", got, err)
	}
}

// The whole way: the server of package web reads what the client sent, and does not
// begin work that waited on the way until its deadline had passed.
func TestTheServerHonoursTheDeadline(t *testing.T) {
	t.Parallel()
	var cfg web.Config
	if err := kit.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	server, err := web.New(cfg, web.Options{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	const limit = 100 * time.Millisecond
	for name, tt := range map[string]struct {
		queue time.Duration
		want  int
	}{
		"in time":  {0, http.StatusNotFound}, // it got as far as looking for the resource
		"too late": {2 * limit, http.StatusGatewayTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codes := make(chan int, 1)
			c := served(t, func(w http.ResponseWriter, r *http.Request) {
				<-time.After(tt.queue) // a queue on the way is the subject
				answer := httptest.NewRecorder()
				server.Engine.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
				w.WriteHeader(answer.Code)
				codes <- answer.Code
			}, once)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_ = discard(get(ctx, t, c))
			if got := <-codes; got != tt.want {
				t.Errorf("the server answered %d, want %d", got, tt.want)
			}
		})
	}
}
