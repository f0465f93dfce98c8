package process_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley.sh/hack/local/process"
)

// parentVariable makes the test program a parent that starts one child, prints its process id and waits to be killed.
const parentVariable = "PROCESS_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentVariable) != "" {
		parent()
	}
	goleak.VerifyTestMain(m)
}

func parent() {
	p, err := process.Start(process.Command{Name: "child", Path: "/bin/sleep", Args: []string{"60"}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
	os.Exit(0)
}

// shell starts a script and returns when it has written something to its log.
func shell(t *testing.T, script string, change func(*process.Command)) (p *process.Process, log string) {
	t.Helper()
	c := process.Command{
		Name: "script", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin"},
		Log: filepath.Join(t.TempDir(), "out", "log"), Marker: t.TempDir(),
	}
	if change != nil {
		change(&c)
	}
	p, err := process.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	eventually(t, "the script writes to its log", func() bool { return strings.Contains(read(c.Log), "\n") })
	return p, c.Log
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return string(text)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	timeout, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-timeout:
			t.Fatalf("in 20 s not: %s", what)
		case <-tick.C:
		}
	}
}

// identities reads process ids, one a line, and says who they are now.
func identities(t *testing.T, log string) []process.Identity {
	t.Helper()
	var found []process.Identity
	for _, field := range strings.Fields(read(log)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("log holds %q, want process ids", field)
		}
		started, err := process.StartTime(pid)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, process.Identity{PID: pid, Started: started})
	}
	return found
}

func TestStopAsksFirst(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		script string
		signal syscall.Signal
		grace  time.Duration
		want   string
	}{
		"ends when asked":           {script: `trap "exit 7" TERM; echo; while :; do sleep 0.05; done`, want: "exit status 7"},
		"asked by its own signal":   {script: `trap "exit 8" INT; echo; while :; do sleep 0.05; done`, signal: syscall.SIGINT, want: "exit status 8"},
		"killed when it does not":   {script: `trap "" TERM; echo; while :; do sleep 0.05; done`, grace: 50 * time.Millisecond, want: "signal: killed"},
		"has ended already":         {script: `echo; exit 3`, want: "exit status 3"},
		"has ended without a fault": {script: `echo`, want: "exit status 0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := shell(t, tc.script, func(c *process.Command) { c.Signal, c.Grace = tc.signal, tc.grace })
			if tc.want == "exit status 3" || tc.want == "exit status 0" {
				<-p.Done()
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if p.Alive() || p.Reason() != tc.want {
				t.Errorf("after Stop: alive %t, ended by %q, want %q", p.Alive(), p.Reason(), tc.want)
			}
		})
	}
}

func TestKillTakesTheWholeTree(t *testing.T) {
	t.Parallel()
	// A child, a child in a session of its own, and an orphan in a session of its own whose parent is gone.
	const script = `sleep 60 & echo $!
setsid sleep 61 & echo $!
(setsid sh -c 'echo $$; exec sleep 62' &)
wait`
	p, log := shell(t, script, nil)
	eventually(t, "three children", func() bool { return len(strings.Fields(read(log))) == 3 })
	children := identities(t, log)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, child := range children {
		eventually(t, fmt.Sprintf("process %d is gone", child.PID), func() bool { return !child.Alive() })
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), parentVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent says %q", line)
	}
	started, err := process.StartTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	child := process.Identity{PID: pid, Started: started}
	if !child.Alive() {
		t.Fatal("the child does not run while its parent does")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the child is gone", func() bool { return !child.Alive() })
}

func TestIsolation(t *testing.T) {
	if !process.CanIsolate() {
		t.Skip("needs root with CAP_SYS_ADMIN")
	}
	t.Parallel()
	shown := t.TempDir()
	if err := os.WriteFile(filepath.Join(shown, "note"), []byte("seen\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, log := shell(t, `cat /mnt/note; echo $$; ls /proc | grep -c '^[0-9]*$'; setsid sleep 63 & wait`, func(c *process.Command) {
		c.Isolation = &process.Isolation{Binds: []process.Bind{{From: shown, To: "/mnt"}}}
	})
	eventually(t, "three lines", func() bool { return strings.Count(read(log), "\n") == 3 })
	if got := strings.Fields(read(log)); got[0] != "seen" || got[1] != "1" {
		t.Errorf("inside: bind shows %q, process id is %s; want seen and 1", got[0], got[1])
	}
	if _, err := os.Stat("/mnt/note"); err == nil {
		t.Error("the bind shows outside of its namespace")
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if left := sleeping(t, "63"); left != "" {
		t.Errorf("after Kill there is still %s", left)
	}
}

// sleeping finds a process `sleep SECONDS`.
func sleeping(t *testing.T, seconds string) string {
	t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if read(file) == "sleep\x00"+seconds+"\x00" {
			return file
		}
	}
	return ""
}

func TestOddProgramName(t *testing.T) {
	t.Parallel()
	odd := filepath.Join(t.TempDir(), "a) R (b")
	if err := os.Symlink("/bin/sleep", odd); err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(process.Command{Name: "odd", Path: odd, Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	id := process.Identity{PID: p.PID(), Started: p.Started()}
	if !id.Alive() || id.Started == 0 {
		t.Errorf("a running process: alive %t, start time %d", id.Alive(), id.Started)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if id.Alive() {
		t.Error("alive after Kill")
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("signal to a process that is gone = %v, want nil", err)
	}
}

func TestSomebodyElsesProcessIdIsNotTheSame(t *testing.T) {
	t.Parallel()
	other := process.Self()
	other.Started++
	if other.Alive() {
		t.Error("a process with our id and another start time is alive")
	}
	if !process.Self().Alive() {
		t.Error("we are not alive")
	}
}

func TestStartOfNothing(t *testing.T) {
	t.Parallel()
	_, err := process.Start(process.Command{Name: "nothing", Path: filepath.Join(t.TempDir(), "nothing")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want os.ErrNotExist", err)
	}
}

func TestEndInKillsWhatStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := process.Start(process.Command{Name: "stays", Path: "/bin/sleep", Args: []string{"60"}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := process.EndIn(ctx, dir, "other"); err != nil || !p.Alive() {
		t.Fatalf("EndIn another program = %v, alive %t", err, p.Alive())
	}
	if err := process.EndIn(ctx, dir, "sleep"); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
}
