package lifecycle

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/telemetry"
)

// childVariable makes the test binary be a service instead: see TestMainEndsTheProcess.
const childVariable = "LIFECYCLE_TEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVariable); how != "" {
		Main("child", child(how))
	}
	goleak.VerifyTestMain(m)
}

type service struct {
	Config
}

// child is a service that says when it runs and then does as it was told.
func child(how string) func(context.Context, service, *telemetry.Telemetry) error {
	return func(ctx context.Context, cfg service, t *telemetry.Telemetry) error {
		t.Log.InfoContext(ctx, "child running")
		switch how {
		case "fail":
			return errors.New("boom")
		case "deaf":
			return Serve(ctx, cfg.Config, Stage{{Name: "deaf", Run: func(context.Context) error { select {} }}})
		}
		return Serve(ctx, cfg.Config, Stage{{Name: "good", Run: untilStopped}})
	}
}

func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestMainEndsTheProcess(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		how, extra string
		signals    int
		code       int
		killed     bool
	}{
		"told to stop":      {how: "wait", signals: 1, code: ExitOK},
		"run failed":        {how: "fail", code: ExitFailure},
		"bad configuration": {how: "wait", extra: "SHUTDOWN_TIMEOUT=soon", code: ExitBadConfig},
		"told twice":        {how: "deaf", signals: 2, killed: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childVariable+"="+tc.how, "DRAIN_DELAY=0s", tc.extra)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			signalWhenRunning(t, cmd, bufio.NewScanner(out), tc.signals)
			_ = cmd.Wait() // its state says more
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signaled() != tc.killed || !tc.killed && status.ExitStatus() != tc.code {
				t.Errorf("ended with %s, want code %d, killed %v", cmd.ProcessState, tc.code, tc.killed)
			}
		})
	}
}

// signalWhenRunning sends the first signal when the child says that it runs, and
// further ones until it is gone: nothing tells when the first has been handled.
func signalWhenRunning(t *testing.T, cmd *exec.Cmd, lines *bufio.Scanner, count int) {
	t.Helper()
	for lines.Scan() {
		if count > 0 && strings.Contains(lines.Text(), `"child running"`) {
			break
		}
	}
	if count == 0 {
		return
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; count > 1; <-tick.C {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return
		}
		if cmd.ProcessState != nil || processGone(cmd.Process.Pid) {
			return
		}
	}
	for lines.Scan() { // until the child closes its output
		continue
	}
}

// processGone reports whether a child has ended and only waits to be reaped.
func processGone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestExecute(t *testing.T) {
	t.Setenv("LOG_LEVEL", "error")
	tests := map[string]struct {
		run  func(context.Context, service, *telemetry.Telemetry) error
		want int
	}{
		"good":  {func(context.Context, service, *telemetry.Telemetry) error { return nil }, ExitOK},
		"bad":   {func(context.Context, service, *telemetry.Telemetry) error { return errors.New("boom") }, ExitFailure},
		"panic": {func(context.Context, service, *telemetry.Telemetry) error { panic("boom") }, ExitFailure},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := execute(t.Context(), "test", tc.run); got != tc.want {
				t.Errorf("exit code = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	good := Config{
		ShutdownTimeout: 20 * time.Second, DrainDelay: 3 * time.Second,
		Telemetry: telemetry.Config{LogLevel: "info"},
	}
	tests := map[string]struct {
		change func(*Config)
		bad    string
	}{
		"as it is":                  {func(*Config) {}, ""},
		"no time to finish":         {func(c *Config) { c.ShutdownTimeout = 0 }, "SHUTDOWN_TIMEOUT"},
		"all the time is for drain": {func(c *Config) { c.DrainDelay = 20 * time.Second }, "DRAIN_DELAY"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.change(&cfg)
			var p *config.Problem
			errors.As(cfg.Validate(), &p)
			if tc.bad == "" && p != nil || tc.bad != "" && (p == nil || p.Variable != tc.bad) {
				t.Errorf("problem = %v, want one of %q", p, tc.bad)
			}
		})
	}
}
