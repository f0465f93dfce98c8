package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a program that runs or has run. Its methods are safe for concurrent use.
type Process struct {
	command Command
	cmd     *exec.Cmd
	started uint64
	done    chan struct{}
	err     error
}

// Start runs c and returns once the program is executing. Errors name c.Name.
func Start(c Command) (*Process, error) {
	log, err := c.openLog()
	if err != nil {
		return nil, err
	}
	p := &Process{command: c, cmd: c.build(), done: make(chan struct{})}
	if c.Inherit {
		p.cmd.Stdout, p.cmd.Stderr = os.Stdout, os.Stderr
	}
	if log != nil {
		p.cmd.Stdout, p.cmd.Stderr = log, log
		defer func() { _ = log.Close() }()
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// run forks and waits on one thread: Pdeathsig fires when the forking thread ends, not when the process does, so the thread
// stays for as long as the child. It is not unlocked: a locked goroutine that ends takes its thread with it.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer close(p.done)
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	p.started, _ = StartTime(p.cmd.Process.Pid)
	started <- nil
	p.err = p.cmd.Wait()
}

// Name is the name its Command gave it.
func (p *Process) Name() string { return p.command.Name }

// PID is the process id as the caller's namespace sees it.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Started is the kernel's start time of the process, in clock ticks since boot: with PID it names the process for ever.
func (p *Process) Started() uint64 { return p.started }

// Done is closed when the process has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the process still runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Err says how the process ended: nil for exit code 0, else an *exec.ExitError. It is meaningful after Done only.
func (p *Process) Err() error {
	if p.Alive() {
		return nil
	}
	return p.err
}

// Reason says how the process ended, such as "exit status 0" or "signal: killed", or that it runs.
func (p *Process) Reason() string {
	switch {
	case p.Alive():
		return "running"
	case p.err != nil:
		return p.err.Error()
	}
	return "exit status 0"
}

// Stop asks the process to end, waits for its grace or for ctx, whichever ends first, and then kills what is left of its tree.
// It returns nil once nothing is left, also when nothing was there.
func (p *Process) Stop(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, p.command.grace())
	defer cancel()
	if err := p.Signal(p.command.signal()); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-grace.Done():
	}
	return p.Kill()
}

// Signal sends s to the process alone. A process that has ended is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && p.Alive() {
		return fmt.Errorf("signal %s: %w", p.command.Name, err)
	}
	return nil
}

// Kill sends SIGKILL to the process and to everything that it started, and returns when all of it is gone.
func (p *Process) Kill() error {
	tree := descendants(p.PID(), p.Alive)
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	killAll(tree)
	return p.sweep()
}

// sweep kills what still carries the marker: orphans that left the tree before it was read.
func (p *Process) sweep() error {
	if p.command.Marker == "" || p.command.Isolation != nil {
		return nil
	}
	return Sweep(p.command.Marker)
}

// Sweep kills every process that carries marker, and returns when none is left.
func Sweep(marker string) error {
	const limit, pause = 5 * time.Second, 20 * time.Millisecond
	timeout, tick := time.After(limit), time.NewTicker(pause)
	defer tick.Stop()
	for {
		left := marked(marker)
		if len(left) == 0 {
			return nil
		}
		killAll(left)
		select {
		case <-timeout:
			return fmt.Errorf("kill what belongs to %s: processes %v do not go away", marker, left)
		case <-tick.C:
		}
	}
}
