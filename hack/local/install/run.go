package install

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"parley.sh/hack/local/step"
)

// Installer gets programs and says on Progress what it does. The zero value is silent and ready.
type Installer struct {
	Progress *step.Printer
}

// aptMu keeps two servers that start at once from calling apt at the same time; apt's own lock keeps other processes away.
var aptMu sync.Mutex

// tool returns the path of a program of the host. A missing one is installed by apt from its packages when the caller is
// root; else the error says what to install.
func (i Installer) tool(ctx context.Context, program, purpose string, packages ...string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	if err := i.apt(ctx, packages...); err != nil {
		return "", fmt.Errorf("%s needs %s: %w", purpose, program, err)
	}
	return exec.LookPath(program)
}

// apt installs packages of the distribution.
func (i Installer) apt(ctx context.Context, packages ...string) error {
	aptMu.Lock()
	defer aptMu.Unlock()
	names := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("install it: on Debian or Ubuntu, as root, `apt-get install %s`", names)
	}
	return i.Progress.Do(ctx, "apt-get install "+names, func(ctx context.Context) error {
		install := append([]string{
			"-q", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=300", "install",
		}, packages...)
		if _, err := run(ctx, "apt-get", install...); err == nil {
			return nil
		}
		if _, err := run(ctx, "apt-get", "-q", "update"); err != nil {
			return err
		}
		_, err := run(ctx, "apt-get", install...)
		return err
	})
}

// run executes a program of the host without input and returns what it prints. Its error carries the last lines of that.
func run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("run %s: %w\n%s", program, err, Tail(out.String(), 15))
	}
	return out.String(), nil
}

// Tail returns the last n lines of text, indented.
func Tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return "    " + strings.Join(lines[max(0, len(lines)-n):], "\n    ")
}
