package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultGrace is how long Stop waits for a program to end by itself when its Command names no other time.
const DefaultGrace = 20 * time.Second

// markerVariable is the environment variable that carries Command.Marker.
const markerVariable = "PARLEY_PROCESS"

// Account is the user that a program runs as.
type Account struct {
	Name     string
	UID, GID uint32
}

// Command says what to run and how. Name and Path are required.
type Command struct {
	// Name of the process in messages.
	Name string
	// Path of the program, absolute, inside Isolation.Root when that is set.
	Path string
	Args []string
	// Env is the whole environment: nothing is inherited.
	Env []string
	// Dir is the working folder. Empty means the folder of the caller.
	Dir string
	// Log is the file that output is appended to, made when missing. Empty discards the output, unless Inherit is set.
	Log string
	// Inherit gives the program the caller's own standard output and standard error. Input is empty always.
	Inherit bool
	// Marker names what the process belongs to, such as its state folder, so that what it leaves behind can be found by
	// Sweep. Empty means no marker.
	Marker string
	// User to run as. Nil means the user of the caller; another one needs root.
	User *Account
	// Isolation puts the process into namespaces of its own, which needs root. Nil means none.
	Isolation *Isolation
	// Signal that asks the program to end. Zero means SIGTERM.
	Signal syscall.Signal
	// Grace is how long Stop waits before it kills. Zero means DefaultGrace.
	Grace time.Duration
}

func (c *Command) signal() syscall.Signal {
	if c.Signal == 0 {
		return syscall.SIGTERM
	}
	return c.Signal
}

func (c *Command) grace() time.Duration {
	if c.Grace == 0 {
		return DefaultGrace
	}
	return c.Grace
}

// environment is Env and the marker.
func (c *Command) environment() []string {
	if c.Marker == "" {
		return c.Env
	}
	return append([]string{markerVariable + "=" + c.Marker}, c.Env...)
}

// build turns c into a command whose death follows that of the calling thread.
func (c *Command) build() *exec.Cmd {
	cmd := exec.Command(c.Path, c.Args...) //nolint:noctx // the process ends by Stop or Kill, never by a context
	cmd.Env = c.environment()
	cmd.Dir = c.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.Isolation != nil {
		c.Isolation.apply(cmd, c)
		return cmd
	}
	if c.User != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.User.UID, Gid: c.User.GID}
	}
	return cmd
}

// openLog opens the log file for appending; nil without one.
func (c *Command) openLog() (*os.File, error) {
	if c.Log == "" {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Log), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of the log of %s: %w", c.Name, err)
	}
	file, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", c.Name, err)
	}
	return file, nil
}
