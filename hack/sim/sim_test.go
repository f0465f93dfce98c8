package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley.sh/hack/sim/client"
)

// TestMain is the simulator itself when a test starts this binary as a child: a real
// process is the only thing that a real SIGKILL can be tried on.
func TestMain(m *testing.M) {
	if os.Getenv("SIM_TEST_CHILD") == "1" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// child is a running simulator.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// spawn starts a simulator on a folder and a free port.
func spawn(t *testing.T, data string) *child {
	t.Helper()
	cmd := command(t, "SIM_DATA="+data, "SIM_ADDR=127.0.0.1:0", "SIM_SLOW=400ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd}
	t.Cleanup(func() { c.kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			c.url = "http://" + line.Addr
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return c
		}
	}
	t.Fatalf("the simulator did not start: %v", cmd.Wait())
	return nil
}

func command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) // killed with the test at the latest
	cmd.Env = append(append(os.Environ(), "SIM_TEST_CHILD=1"), env...)
	return cmd
}

// kill ends it as a power cut does: without a word.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

func (c *child) api() *client.ClientWithResponses {
	c.t.Helper()
	api, err := client.NewClientWithResponses(c.url, client.WithHTTPClient(&http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second,
	}))
	if err != nil {
		c.t.Fatal(err)
	}
	return api
}

func TestItStopsWithinItsTimeWhenTold(t *testing.T) {
	t.Parallel()
	c := spawn(t, t.TempDir())
	if resp, err := c.api().GetHealthWithResponse(t.Context()); err != nil || resp.StatusCode() != 200 {
		t.Fatalf("got %v, %v", resp, err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want exit code 0", err)
	}
}

func TestItSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	taken, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	held := t.TempDir()
	spawn(t, held)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		env  []string
		code int
		says string
	}{
		"a bad delay":        {[]string{"SIM_SLOW=soon"}, 2, "SIM_SLOW"},
		"a bad address":      {[]string{"SIM_ADDR=here"}, 2, "SIM_ADDR"},
		"a taken port":       {[]string{"SIM_ADDR=" + taken.Addr().String(), "SIM_DATA=" + t.TempDir()}, 1, "SIM_ADDR"},
		"a folder in use":    {[]string{"SIM_DATA=" + held}, 1, "another simulator"},
		"a file as a folder": {[]string{"SIM_DATA=" + file}, 1, "SIM_DATA"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append([]string{"SIM_ADDR=127.0.0.1:0"}, tt.env...)...)
			out, err := cmd.Output()
			if err == nil || cmd.ProcessState.ExitCode() != tt.code || !strings.Contains(string(out), tt.says) {
				t.Errorf("ended with %v and said %s, want code %d and a word of %s", err, out, tt.code, tt.says)
			}
		})
	}
}
