package rest_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

// switched is a target that is switched between working and not.
type switched struct {
	script
	down bool
}

func newSwitched() *switched {
	s := &switched{}
	s.steps = []transport{func(*http.Request) (*http.Response, error) {
		if s.down {
			return reply(500, ""), nil
		}
		return reply(200, ""), nil
	}}
	return s
}

func once(c *rest.Config) { c.Attempts = 1 }

func TestBreakerOpensHalfOpensAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := newSwitched()
		c, reg := faked(target, once)
		state := func(want float64) {
			t.Helper()
			if got := metric(t, reg, "rest_client_breaker_state"); got != want {
				t.Errorf("the breaker's state is %v, want %v", got, want)
			}
		}
		call := func(n int) (sent int32) {
			before := target.sent.Load()
			for range n {
				_ = discard(get(t.Context(), t, c))
			}
			return target.sent.Load() - before
		}
		state(0)
		target.down = true
		if sent := call(100); sent != 20 {
			t.Errorf("%d of 100 requests reached a target that is down, want 20", sent)
		}
		state(2)

		err := failed(t.Context(), t, c)
		var f *fault.Error
		if !errors.Is(err, rest.ErrBreakerOpen) || !errors.As(err, &f) || f.Kind != fault.Unavailable {
			t.Fatalf("got %v, want an open breaker of kind Unavailable", err)
		}
		if f.RetryAfter <= 0 || f.RetryAfter > 2500*time.Millisecond {
			t.Errorf("retry after %v, want what is left of the pause", f.RetryAfter)
		}

		<-time.After(2500 * time.Millisecond)
		if sent := call(10); sent != 1 {
			t.Errorf("%d probes reached a target that is still down, want 1", sent)
		}
		state(2)

		<-time.After(2500 * time.Millisecond)
		target.down = false
		call(2)
		state(1)
		call(1)
		state(0)
		if sent := call(50); sent != 50 {
			t.Errorf("%d of 50 requests passed a closed breaker", sent)
		}
		for state, want := range map[string]float64{"open": 2, "half-open": 2, "closed": 1} {
			if got := metric(t, reg, "rest_client_breaker_transitions_total", "state", state); got != want {
				t.Errorf("%v transitions to %s, want %v", got, state, want)
			}
		}
	})
}

func TestWhatTheBreakerCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		target transport
		opens  bool
	}{
		"server errors":         {status(500), true},
		"lost connections":      {lost, true},
		"timeouts":              {hang, true},
		"refusals":              {status(404), false},
		"too many requests":     {status(429), false},
		"what is not supported": {status(501), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, reg := faked(tt.target, once, func(c *rest.Config) { c.BreakerWindow = time.Hour })
				for range 30 {
					_ = discard(get(t.Context(), t, c))
				}
				if got := metric(t, reg, "rest_client_breaker_state") == 2; got != tt.opens {
					t.Errorf("open: %v, want %v", got, tt.opens)
				}
			})
		})
	}
}

// Callers that go away say nothing about the target, and take no probe with them.
func TestCanceledCallsNeitherOpenNorBlockTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := newSwitched()
		works := target.steps[0]
		c, reg := faked(target, once)
		canceled := func() {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			_ = discard(get(ctx, t, c))
		}
		target.steps[0] = hang
		for range 100 {
			canceled()
		}
		if got := metric(t, reg, "rest_client_breaker_state"); got != 0 {
			t.Errorf("canceled calls opened the breaker: %v", got)
		}
		target.steps[0], target.down = works, true
		for range 30 {
			_ = discard(get(t.Context(), t, c))
		}
		for range 10 { // far more than there are probes
			<-time.After(2500 * time.Millisecond)
			target.steps[0] = hang
			canceled()
			if got := metric(t, reg, "rest_client_breaker_state"); got == 0 {
				t.Fatal("probes without an answer closed the breaker")
			}
		}
		<-time.After(2500 * time.Millisecond)
		target.steps[0], target.down = works, false
		for range 3 {
			_ = discard(get(t.Context(), t, c))
		}
		if got := metric(t, reg, "rest_client_breaker_state"); got != 0 {
			t.Errorf("the breaker's state is %v after three good probes, want closed", got)
		}
	})
}

func TestTheBreakersChangesAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := rest.New(config(once), rest.Options{
		Name: "target", Transport: status(500), Log: slog.New(slog.NewJSONHandler(&out, nil)),
	})
	for range 20 {
		_ = discard(get(t.Context(), t, c))
	}
	line := out.String()
	for _, want := range []string{`"level":"WARN"`, `"target":"target"`, `"from":"closed"`, `"to":"open"`} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
}
