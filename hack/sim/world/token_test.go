package world_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// step is one request of a test and what must come of it.
type step struct {
	operation string
	status    int
	replayed  bool
	took      time.Duration
	// before and after are how many effects the statements list half a delay after
	// the request, and when it is answered.
	before, after int
}

func TestTokens(t *testing.T) {
	t.Parallel()
	ok := func(op string, n int) step { return step{op, 200, false, 0, n, n} }
	again := func(op string, status, n int) step { return step{op, status, true, 0, n, n} }
	fails := func(op string, status, n int) step { return step{op, status, false, 0, n, n} }
	tests := map[string][]step{
		"tok_ok": {ok("authorize", 1), again("authorize", 200, 1), ok("capture", 2), ok("refund", 3), again("refund", 200, 3)},
		"tok_declined": {
			fails("authorize", 402, 0), again("authorize", 402, 0), fails("capture", 404, 0),
		},
		"tok_flaky": {
			fails("authorize", 503, 0), fails("authorize", 503, 0), ok("authorize", 1), again("authorize", 200, 1), ok("void", 2),
		},
		"tok_slow": {
			{"authorize", 200, false, delay, 1, 1}, again("authorize", 200, 1), ok("capture", 2),
		},
		"tok_late": {
			{"authorize", 200, false, delay, 0, 1}, again("authorize", 200, 1), ok("capture", 2),
		},
		"tok_ok_all":        {ok("authorize", 1), ok("capture", 2)},
		"tok_flaky_capture": {ok("authorize", 1), fails("capture", 503, 1), fails("capture", 503, 1), ok("capture", 2)},
		"tok_flaky_void":    {ok("authorize", 1), fails("void", 503, 1), fails("void", 503, 1), ok("void", 2)},
		"tok_flaky_refund":  {ok("authorize", 1), ok("capture", 2), fails("refund", 503, 2), fails("refund", 503, 2), ok("refund", 3)},
		"tok_slow_capture":  {ok("authorize", 1), {"capture", 200, false, delay, 2, 2}, ok("refund", 3)},
		"tok_late_capture":  {ok("authorize", 1), {"capture", 200, false, delay, 1, 2}, ok("refund", 3)},
		"tok_late_void":     {ok("authorize", 1), {"void", 200, false, delay, 1, 2}},
		"tok_late_refund":   {ok("authorize", 1), ok("capture", 2), {"refund", 200, false, delay, 2, 3}},
		"tok_declined_capture": {
			ok("authorize", 1), fails("capture", 402, 1), again("capture", 402, 1), ok("void", 2),
		},
		"tok_late_all": {
			{"authorize", 200, false, delay, 0, 1}, {"capture", 200, false, delay, 1, 2}, {"refund", 200, false, delay, 2, 3},
		},
		"tok_flaky_label": {ok("authorize", 1), ok("capture", 2)},
		// The carrier's: the token is a word of the address.
		"label:1 Main Street":              {ok("label", 1), again("label", 200, 1)},
		"label:tok_declined":               {fails("label", 402, 0), again("label", 402, 0)},
		"label:1 Main Street tok_flaky, X": {fails("label", 503, 0), fails("label", 503, 0), ok("label", 1)},
		"label:(tok_slow)":                 {{"label", 200, false, delay, 1, 1}, again("label", 200, 1)},
		"label:tok_late 1 Main Street":     {{"label", 200, false, delay, 0, 1}, again("label", 200, 1)},
		"label:tok_flaky_label":            {fails("label", 503, 0), fails("label", 503, 0), ok("label", 1)},
		"label:tok_declined_capture":       {ok("label", 1)},
		"label:tok_late_all":               {{"label", 200, false, delay, 0, 1}},
		"label:notatok_declined":           {ok("label", 1)},
	}
	for token, steps := range tests {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				for i, want := range steps {
					got := l.step(want.operation, token)
					got.operation = want.operation
					if diff := cmp.Diff(want, got, cmp.AllowUnexported(step{})); diff != "" {
						t.Errorf("step %d: %s", i+1, diff)
					}
				}
				l.stop()
			})
		})
	}
}

// step asks once for an operation, under its one key, and looks at the statements.
func (l *lab) step(operation, token string) (got step) {
	l.t.Helper()
	looked := make(chan struct{})
	time.AfterFunc(delay/2, func() {
		got.before = len(l.movements()) + len(l.parcels())
		close(looked)
	})
	start := time.Now()
	s := l.ask(operation, token)
	got.took = time.Since(start)
	got.status, got.replayed = s.status, s.replayed
	got.after = len(l.movements()) + len(l.parcels())
	<-looked
	return got
}

func (l *lab) ask(operation, token string) said {
	l.t.Helper()
	switch operation {
	case "authorize":
		return l.authorize("order", "authorize", token)
	case "label":
		return l.label("order", "label", token[len("label:"):])
	}
	return l.on(operation, "order", operation)
}

func TestUnknownTokensAreRefused(t *testing.T) {
	t.Parallel()
	l := open(t)
	for _, token := range []string{
		"", "ok", "tok_", "tok_OK", "tok_okay", "tok_ok_", "tok_ok_now", "tok_ok_capture_void", " tok_ok", "tok_ok ", "tok_flaky_3",
	} {
		if s := l.authorize("o", "k", token); s.status != 400 {
			t.Errorf("%q: got %d, want 400", token, s.status)
		}
	}
	for _, address := range []string{"tok_", "Main Street tok_okay", "tok_ok_now"} {
		if s := l.label("o", "k", address); s.status != 400 {
			t.Errorf("%q: got %d, want 400", address, s.status)
		}
	}
	if n := len(l.movements()) + len(l.parcels()); n != 0 {
		t.Errorf("%d effects", n)
	}
}

// The caller of late work goes away; the work is done all the same.
func TestLateWorkNeedsNoCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errGone) })
		if s := l.post(ctx, "/labels", "k", labelOf("o", "tok_late")); !s.gone {
			t.Errorf("got %+v, want nothing", s)
		}
		if n := len(l.parcels()); n != 0 {
			t.Errorf("%d parcels when the caller went away", n)
		}
		<-time.After(delay)
		if n := len(l.parcels()); n != 1 {
			t.Errorf("%d parcels after the delay, want 1", n)
		}
		if s := l.label("o", "k", "tok_late"); s.status != 200 || !s.replayed {
			t.Errorf("got %+v, want the answer replayed", s)
		}
		l.stop()
	})
}

// Slow work is done before its answer, whether or not somebody waits for it.
func TestSlowWorkIsDoneBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s := l.post(ctx, "/payments/authorize", "k", authorization("o", "tok_slow")); !s.gone {
			t.Errorf("got %+v, want nothing", s)
		}
		if n := len(l.movements()); n != 1 {
			t.Errorf("%d movements, want 1", n)
		}
		start := time.Now()
		if s := l.authorize("o", "k", "tok_slow"); s.status != 200 || !s.replayed || time.Since(start) != 0 {
			t.Errorf("got %+v after %v, want the answer replayed at once", s, time.Since(start))
		}
		l.stop()
	})
}

func TestAcceptedWorkSurvivesARestart(t *testing.T) {
	t.Parallel()
	for name, asked := range map[string]bool{"nobody asks again": false, "the caller asks again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				for i := range 3 {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					_ = l.post(ctx, "/payments/authorize", fmt.Sprint(i), authorization(fmt.Sprint(i), "tok_late"))
					cancel()
				}
				l.restart()
				if n := len(l.movements()); n != 0 {
					t.Errorf("%d movements before they were due", n)
				}
				if asked {
					if s := l.authorize("1", "1", "tok_late"); s.status != 200 || !s.replayed {
						t.Errorf("got %+v, want the answer of the accepted work", s)
					}
				}
				<-time.After(delay)
				synctest.Wait()
				if n := len(l.movements()); n != 3 {
					t.Errorf("%d movements, want 3", n)
				}
				l.stop()
			})
		})
	}
}

func TestFailuresAreCountedAcrossARestart(t *testing.T) {
	t.Parallel()
	l := open(t)
	var got []int
	for range 4 {
		got = append(got, l.authorize("o", "k", "tok_flaky").status)
		l.restart()
	}
	if diff := cmp.Diff([]int{503, 503, 200, 200}, got); diff != "" {
		t.Error(diff)
	}
	// Another key fails anew: a real outage does not know what it hit before.
	if s := l.authorize("o", "k2", "tok_flaky"); s.status != 503 {
		t.Errorf("got %d, want 503", s.status)
	}
}
