package step_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/hack/local/step"
)

func TestDo(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	cases := map[string]struct {
		takes time.Duration
		err   error
		want  []string
	}{
		"quick":   {takes: 1200 * time.Millisecond, want: []string{"build ...", "build: 1.2s"}},
		"slow":    {takes: 25 * time.Second, want: []string{"build ...", "build ... 10s so far", "build ... 20s so far", "build: 25s"}},
		"failing": {takes: time.Second, err: broken, want: []string{"build ...", "build: failed after 1s"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				err := step.New(&out).Do(t.Context(), "build", func(context.Context) error {
					<-time.After(tc.takes)
					return tc.err
				})
				if !errors.Is(err, tc.err) {
					t.Errorf("error = %v, want %v", err, tc.err)
				}
				if diff := cmp.Diff(tc.want, strings.Split(strings.TrimSpace(out.String()), "\n")); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestNilPrinterIsSilent(t *testing.T) {
	t.Parallel()
	var p *step.Printer
	ran := false
	if err := p.Do(t.Context(), "build", func(context.Context) error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("Do = %v, ran %t", err, ran)
	}
}
