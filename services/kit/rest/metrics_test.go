package rest_test

import (
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley.sh/services/kit/rest"
)

func TestTargetsShareARegistry(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	for name, target := range map[string]transport{"good": status(200), "bad": status(404)} {
		c := rest.New(config(), rest.Options{Name: name, Registerer: reg, Transport: target})
		_ = discard(get(t.Context(), t, c))
	}
	for _, want := range [][2]string{{"good", "answered"}, {"bad", "refused"}} {
		for _, name := range []string{"rest_client_calls_total", "rest_client_attempts_total"} {
			if got := metric(t, reg, name, "target", want[0], "outcome", want[1]); got != 1 {
				t.Errorf("%s of %v is %v, want 1", name, want, got)
			}
		}
		if got := metric(t, reg, "rest_client_call_duration_seconds", "target", want[0]); got != 1 {
			t.Errorf("%v calls of %s were timed, want 1", got, want[0])
		}
		if got := metric(t, reg, "rest_client_retry_budget", "target", want[0]); got != 5 {
			t.Errorf("the budget of %s is %v, want 5", want[0], got)
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestCallsAndAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, reg := faked(steps(status(503), hang, status(200)))
		_ = discard(get(t.Context(), t, c))
		for _, want := range []struct {
			name, outcome string
			count         float64
		}{
			{"rest_client_attempts_total", "broken", 1},
			{"rest_client_attempts_total", "timeout", 1},
			{"rest_client_attempts_total", "answered", 1},
			{"rest_client_calls_total", "answered", 1},
			{"rest_client_calls_total", "broken", 0},
		} {
			if got := metric(t, reg, want.name, "outcome", want.outcome); got != want.count {
				t.Errorf("%s %s is %v, want %v", want.name, want.outcome, got, want.count)
			}
		}
		if got := metric(t, reg, "rest_client_retries_total"); got != 2 {
			t.Errorf("%v retries, want 2", got)
		}
	})
}
