package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/hack/load/journal"
	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// required makes a machine that cannot run the servers a failure, not a skip.
const required = "REQUIRE_BROKERS"

// platform is what all tests of this package share. It is started once: starting
// takes longer than most of them.
var platform struct {
	*stack.Stack
	bin, dir string
	runs     atomic.Int64
}

func TestMain(m *testing.M) {
	if os.Getenv(required) == "" {
		fmt.Fprintln(os.Stderr, "skipped: set "+required+"=1 to start servers and run the end-to-end tests")
		os.Exit(0)
	}
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "parley-e2e-")
	if err != nil {
		return 1, err
	}
	platform.dir, platform.bin = dir, filepath.Join(dir, "bin")
	progress := step.New(os.Stdout)
	build := stack.BuildOptions{Bin: platform.bin, Race: true, Progress: progress}
	platform.Stack, err = stack.New(stack.Options{
		Dir: filepath.Join(dir, "state"), Bin: platform.bin, Progress: progress,
		Replicas: map[string]int{stack.Order: 2, stack.Inventory: 2},
		Env:      map[string][]string{"": {"LEG_TIMEOUT=10s", "LABEL_TIMEOUT=10s", "SIM_SLOW=2s", "DRAIN_DELAY=0s"}},
		Build:    func(ctx context.Context) error { return stack.Build(ctx, build) },
	})
	if err != nil {
		return 1, err
	}
	if err := platform.Start(ctx); err != nil {
		return 1, err
	}
	code := m.Run()
	stopping, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := platform.Stop(stopping); err != nil {
		return 1, err
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "logs and journals stay in", dir)
		return code, nil
	}
	return 0, os.RemoveAll(dir)
}

// load is a running hack/load.
type load struct {
	t       *testing.T
	cmd     *exec.Cmd
	journal string
	orders  int
	done    chan error
}

// startLoad puts orders through the platform, rate of them a second.
func startLoad(t *testing.T, orders, rate int) *load {
	t.Helper()
	name := fmt.Sprintf("journal-%d.jsonl", platform.runs.Add(1))
	l := &load{t: t, orders: orders, journal: filepath.Join(platform.dir, name), done: make(chan error, 1)}
	l.cmd = program(t, "load", "-journal", l.journal, "-orders", strconv.Itoa(orders), "-rate", strconv.Itoa(rate),
		"-timeline=false", "-settle", "5m")
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { l.done <- l.cmd.Wait() }()
	t.Cleanup(func() { _ = l.cmd.Process.Kill() })
	return l
}

// program is one of the built programs, told where the platform is.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(platform.bin, name), args...)
	cmd.Env = append(os.Environ(), platform.Environment()...)
	out, err := os.Create(filepath.Join(platform.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	cmd.Stdout, cmd.Stderr = out, out
	return cmd
}

// reach waits until a share of the orders has been placed.
func (l *load) reach(share float64) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%.0f %% of the orders to be placed", 100*share), func() bool {
		lines, err := journal.Read(l.journal)
		if err != nil {
			return false
		}
		placing := 0
		for _, line := range lines {
			if line.Kind == journal.Placing {
				placing++
			}
		}
		return float64(placing) >= share*float64(l.orders)
	})
}

// finish waits until every order is answered and settled.
func (l *load) finish() {
	l.t.Helper()
	if err := <-l.done; err != nil {
		l.t.Fatalf("load: %v\n%s", err, tail(l.t, "load"))
	}
}

// audit runs hack/audit over journals, as one, and returns what it printed.
func audit(t *testing.T, journals ...string) (string, error) {
	t.Helper()
	whole := filepath.Join(platform.dir, "journal-all.jsonl")
	var all []byte
	for _, j := range journals {
		data, err := os.ReadFile(j)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if err := os.WriteFile(whole, all, 0o600); err != nil {
		t.Fatal(err)
	}
	err := program(t, "audit", "-journal", whole, "-wait", "5m").Run()
	return tail(t, "audit"), err
}

// mustPass fails the test unless the audit finds every promise kept.
func mustPass(t *testing.T, journals ...string) {
	t.Helper()
	if out, err := audit(t, journals...); err != nil {
		t.Fatalf("audit: %v\n%s", err, out)
	}
}

// journals lists the journals of all loads so far: an audit judges all orders.
func journals(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(platform.dir, "journal-[0-9]*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func tail(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(platform.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data[max(0, len(data)-8000):])
}

// eventually polls a condition until it holds, for two minutes.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited two minutes for %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
