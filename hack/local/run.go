package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/process"
	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// errRunning says that another process runs the platform from the same folder.
var errRunning = errors.New("the platform runs already")

// own takes the folder of a run for this process, and ends what a dead owner left in it. The returned function gives it back.
func own(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	release, err = install.TryLock(filepath.Join(dir, "lock"))
	if errors.Is(err, install.ErrLocked) {
		return nil, errRunning
	}
	if err != nil {
		return nil, err
	}
	if err := clean(dir); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// clean kills the processes that the state file names and that outlived their owner.
func clean(dir string) error {
	state, err := stack.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for name, id := range state.Processes {
		if err := errors.Join(id.Signal(syscall.SIGKILL), process.Sweep(filepath.Join(dir, name))); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(dir, "state.json"))
}

// platform runs the platform in a folder that it owns: it starts it, calls use, and stops it whatever use returned.
func platform(ctx context.Context, o stack.Options, programs []string, use func(context.Context, *stack.Stack) error) error {
	o.Build = func(ctx context.Context) error {
		return stack.Build(ctx, stack.BuildOptions{Root: o.Root, Programs: programs, Progress: o.Progress})
	}
	s, err := stack.New(o)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := s.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return exitCode(130)
		}
		return err
	}
	o.Progress.Say("ready after %s", time.Since(start).Round(100*time.Millisecond))
	err = use(ctx, s)
	return errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
}

// show prints where everything is.
func show(progress *step.Printer, dir string, urls map[string]string) {
	names := make([]string, 0, len(urls))
	for name := range urls {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		progress.Say("  %-10s %s", name, urls[name])
	}
	progress.Say("  logs       %s", filepath.Join(dir, "<name>", "server.log"))
}
