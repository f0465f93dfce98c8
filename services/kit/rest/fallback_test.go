package rest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
)

func TestFallbackAnswersForAnUnavailableTargetOnly(t *testing.T) {
	t.Parallel()
	failing := errors.New("no fallback either")
	tests := map[string]struct {
		target   transport
		fallback error
		want     int
		err      error
		kind     fault.Kind
		result   string
	}{
		"the target answers":      {target: status(200), want: 200},
		"the target is down":      {target: status(503), want: -1, result: "answered"},
		"the connection is lost":  {target: lost, want: -1, result: "answered"},
		"the target says no":      {target: status(404), kind: fault.NotFound},
		"a conflict":              {target: status(409), kind: fault.Conflict},
		"the fallback fails too":  {target: status(503), fallback: failing, err: failing, result: "failed"},
		"the target hangs":        {target: hang, want: -1, result: "answered"},
		"an answer for a machine": {target: status(501), kind: fault.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, reg := faked(tt.target)
				got, err := rest.Call(t.Context(), c, ask(t, c), func(_ context.Context, cause error) (int, error) {
					if !fault.Is(cause, fault.Unavailable) {
						t.Errorf("asked because of %v", cause)
					}
					return -1, tt.fallback
				})
				switch {
				case tt.err != nil:
					if !errors.Is(err, tt.err) {
						t.Errorf("got %v, want %v", err, tt.err)
					}
				case tt.kind != fault.Internal || tt.want == 0:
					if fault.KindOf(err) != tt.kind || err == nil {
						t.Errorf("got %v, want kind %v", err, tt.kind)
					}
				case err != nil || got != tt.want:
					t.Errorf("got %d and %v, want %d", got, err, tt.want)
				}
				for _, result := range []string{"answered", "failed"} {
					count := metric(t, reg, "rest_client_fallbacks_total", "result", result)
					if (count == 1) != (result == tt.result) {
						t.Errorf("%v fallbacks %s", count, result)
					}
				}
			})
		})
	}
}

// ask is a typed call, as it stands around a generated client's.
func ask(t *testing.T, c *rest.Client) func(context.Context) (int, error) {
	t.Helper()
	return func(ctx context.Context) (int, error) {
		resp, err := get(ctx, t, c)
		if err != nil {
			return 0, rest.Check(nil, nil, err)
		}
		code := discard(resp, nil)
		return code, rest.Check(resp, nil, nil)
	}
}

func TestAHangingTargetLeavesTimeForItsFallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := faked(transport(hang), func(c *rest.Config) { c.AttemptTimeout = time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		got, err := rest.Call(ctx, c, ask(t, c), func(ctx context.Context, _ error) (int, error) {
			if took := time.Since(start); took != 800*time.Millisecond {
				t.Errorf("the fallback was asked after %v, want 800ms", took)
			}
			return -1, ctx.Err()
		})
		if got != -1 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

func TestNobodyIsLeftToFallBackFor(t *testing.T) {
	t.Parallel()
	c, _ := faked(transport(hang))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := rest.Call(ctx, c, ask(t, c), func(context.Context, error) (int, error) {
		t.Error("the fallback was asked for a caller that is gone")
		return 0, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNoFallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := faked(transport(hang), once)
		start := time.Now()
		_, err := rest.Call(t.Context(), c, ask(t, c), nil)
		if !fault.Is(err, fault.Unavailable) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}
