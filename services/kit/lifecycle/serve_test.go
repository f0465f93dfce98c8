package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	limits = Config{ShutdownTimeout: 20 * time.Second}
	errBad = errors.New("bad")
)

// diary records what happens, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// part returns a part that takes a while to finish after it is told to stop.
func (d *diary) part(name string, finishing time.Duration) Part {
	return Part{Name: name, Run: func(ctx context.Context) error {
		d.add(name + " started")
		<-ctx.Done()
		d.add(name + " stopping")
		select {
		case <-time.After(finishing):
			d.add(name + " done")
		case <-Finish(ctx).Done():
			d.add(name + " cut off")
		}
		return ctx.Err()
	}}
}

func TestServeStopsStageByStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			result <- Serve(ctx, limits,
				Stage{d.part("http", 2*time.Second), d.part("consumer", time.Second)},
				Stage{d.part("relay", time.Second)},
				Stage{d.part("publisher", time.Second)},
			)
		}()
		synctest.Wait()
		started := slices.Sorted(slices.Values(d.lines))
		want := []string{"consumer started", "http started", "publisher started", "relay started"}
		if diff := cmp.Diff(want, started); diff != "" {
			t.Errorf("all parts start together (-want +got):\n%s", diff)
		}
		d.lines = nil
		begin := time.Now()
		cancel()
		if err := <-result; err != nil {
			t.Errorf("an orderly stop returned %v", err)
		}
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("took %s, want the sum of the slowest of each stage, 4s", took)
		}
		slices.Sort(d.lines[:2]) // the first stage is told as one
		want = []string{
			"consumer stopping", "http stopping", "consumer done", "http done",
			"relay stopping", "relay done", "publisher stopping", "publisher done",
		}
		if diff := cmp.Diff(want, d.lines); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestServeHardStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		err := Serve(ctx, limits,
			Stage{d.part("slow", time.Hour)},
			Stage{d.part("waiting", time.Hour)},
		)
		if !errors.Is(err, ErrHardStop) {
			t.Errorf("err = %v, want ErrHardStop", err)
		}
		if took := time.Since(begin); took != limits.ShutdownTimeout {
			t.Errorf("took %s, want %s", took, limits.ShutdownTimeout)
		}
		for _, line := range []string{"slow cut off", "waiting cut off"} {
			if !slices.Contains(d.lines, line) {
				t.Errorf("%q is missing in %q", line, d.lines)
			}
		}
	})
}

func TestServeLeavesTheDeafBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		err := Serve(ctx, limits, Stage{{Name: "deaf", Run: func(context.Context) error {
			<-release
			return nil
		}}})
		if took := time.Since(begin); took != limits.ShutdownTimeout+unheard {
			t.Errorf("took %s", took)
		}
		if err == nil || !strings.Contains(err.Error(), "deaf") {
			t.Errorf("err = %v, want it to name the part", err)
		}
		close(release)
		synctest.Wait()
	})
}

func TestServeFirstFailureStopsAll(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run  func(context.Context) error
		want error
	}{
		"error": {func(context.Context) error { return errBad }, errBad},
		"panic": {func(context.Context) error { panic("boom") }, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				err := Serve(t.Context(), limits,
					Stage{d.part("good", time.Second)},
					Stage{{Name: "failing", Run: tc.run}},
				)
				if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Errorf("err = %v, want %v", err, tc.want)
				}
				if !slices.Contains(d.lines, "good done") {
					t.Errorf("the other part did not finish its work: %q", d.lines)
				}
			})
		})
	}
}

func TestServeJoinsFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		later := errors.New("later")
		err := Serve(t.Context(), limits, Stage{
			{Name: "first", Run: func(context.Context) error { return errBad }},
			{Name: "second", Run: func(ctx context.Context) error { <-ctx.Done(); return later }},
		})
		if !errors.Is(err, errBad) || !errors.Is(err, later) {
			t.Fatalf("err = %v, want both", err)
		}
		if !strings.HasPrefix(err.Error(), "run first") {
			t.Errorf("the first failure must come first: %v", err)
		}
	})
}

func TestServeEndsWhenAllPartsHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		early := Part{Name: "early", Run: func(context.Context) error { ran++; return nil }}
		if err := Serve(t.Context(), limits, Stage{early}, Stage{}); err != nil || ran != 1 {
			t.Errorf("err = %v, ran %d time(s)", err, ran)
		}
	})
}

func TestServeGoesOnAfterAnEarlyReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		err := Serve(ctx, limits,
			Stage{{Name: "migrator", Run: func(context.Context) error { return nil }}, {Name: "http", Run: untilStopped}})
		if err != nil || time.Since(begin) != time.Hour {
			t.Errorf("err = %v after %s", err, time.Since(begin))
		}
	})
}

type key struct{}

func TestFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
		var work, child context.Context
		err := make(chan error, 1)
		go func() {
			err <- Serve(ctx, limits, Stage{{Name: "part", Run: func(ctx context.Context) error {
				work = Finish(ctx)
				own, end := context.WithCancel(work)
				defer end()
				child = own
				<-ctx.Done()
				<-child.Done()
				return ctx.Err()
			}}})
		}()
		synctest.Wait()
		if _, has := work.Deadline(); has || work.Value(key{}) != "kept" {
			t.Error("the context for work must have the values and no deadline")
		}
		cancel()
		time.Sleep(limits.ShutdownTimeout - time.Second) //nolint:forbidigo // the clock of the bubble
		if work.Err() != nil || context.Cause(work) != nil || child.Err() != nil {
			t.Errorf("work ended before the hard stop: %v, %v", work.Err(), context.Cause(work))
		}
		if got := <-err; !errors.Is(got, ErrHardStop) {
			t.Errorf("err = %v", got)
		}
		if !errors.Is(context.Cause(work), ErrHardStop) || !errors.Is(context.Cause(child), ErrHardStop) {
			t.Errorf("causes = %v, %v, want ErrHardStop", context.Cause(work), context.Cause(child))
		}
	})
}

func TestFinishOutsideOfServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	cancel()
	if work := Finish(ctx); work.Err() != nil || work.Value(key{}) != "kept" {
		t.Error("outside of Serve work never ends, and has the values")
	}
}

func TestServeSaysWhyItStops(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run  func(context.Context) error
		want []string
	}{
		"told to": {untilStopped, []string{"stopping"}},
		"failure": {func(context.Context) error { return errBad }, []string{"stopping because a part failed"}},
		"hard stop": {
			func(ctx context.Context) error { <-Finish(ctx).Done(); return nil },
			[]string{"stopping", "cutting off work in flight"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var lines recorder
				ctx := context.WithValue(t.Context(), logKey{}, slog.New(&lines))
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_ = Serve(ctx, limits, Stage{{Name: "part", Run: tc.run}})
				if diff := cmp.Diff(tc.want, lines.messages); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// recorder is a log that keeps its messages.
type recorder struct {
	slog.Handler

	messages []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.messages = append(r.messages, record.Message)
	return nil
}
