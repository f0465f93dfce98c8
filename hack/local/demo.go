package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"parley.sh/hack/local/process"
	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// attempts is how often the load or the audit is begun again when somebody kills it.
const attempts = 20

func demoCommand() *cobra.Command {
	orders := 1000
	c := &cobra.Command{
		Use:   "demo [-- LOAD FLAGS]",
		Short: "Start the platform afresh, put orders through it, prove what it promises, and stop it",
		Long: "Start the platform with empty state, put orders through it with hack/load, prove with hack/audit that none was lost, " +
			"doubled or left hanging, and stop it. What dies meanwhile is started again: try kill -9 on any process that " +
			"`status` lists. The exit code is not 0 when a promise is broken. State stays in .local/demo until the next run.\n\n" +
			settingsHelp(),
		RunE: func(c *cobra.Command, args []string) error { return demo(c.Context(), orders, args) },
	}
	c.Flags().IntVar(&orders, "orders", orders, "how many orders to place")
	return c
}

func demo(ctx context.Context, orders int, loadFlags []string) error {
	start := time.Now()
	root, err := project()
	if err != nil {
		return err
	}
	if found, err := running(root); err != nil || found["up"].Owner.PID != 0 {
		return errors.Join(err, errors.New("the platform runs already: stop it with make down first"))
	}
	dir := folder(root, "demo")
	release, err := own(dir)
	if err != nil {
		return fmt.Errorf("%w: wait for the other demo, or stop it with Ctrl-C", err)
	}
	defer release()
	progress := step.New(os.Stdout)
	o, err := stackOptions(root, "demo", progress)
	if err != nil {
		return err
	}
	if err := errors.Join(empty(dir), fresh(ctx, o.Use)); err != nil {
		return err
	}
	err = platform(ctx, o, stack.Programs, func(ctx context.Context, s *stack.Stack) error {
		return prove(ctx, s, filepath.Join(root, "bin"), dir, orders, loadFlags)
	})
	if ctx.Err() != nil {
		return exitCode(130)
	}
	if err == nil {
		progress.Say("demo: every promise was kept; %s in all", time.Since(start).Round(time.Second))
	}
	return err
}

// prove runs the load and then, whatever became of it, the audit.
func prove(ctx context.Context, s *stack.Stack, bin, dir string, orders int, loadFlags []string) error {
	journal := filepath.Join(dir, "journal.jsonl")
	load := append([]string{"--orders", strconv.Itoa(orders), "--journal", journal}, loadFlags...)
	err := persist(ctx, s, filepath.Join(bin, "load"), load)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, persist(ctx, s, filepath.Join(bin, "audit"), []string{"--journal", journal}))
}

// persist runs a program to its end, and again when a signal ended it that was not ours.
func persist(ctx context.Context, s *stack.Stack, path string, args []string) error {
	name := filepath.Base(path)
	env := append(os.Environ(), s.Environment()...)
	for range attempts {
		p, err := process.Start(process.Command{Name: name, Path: path, Args: args, Env: env, Inherit: true})
		if err != nil {
			return err
		}
		select {
		case <-p.Done():
		case <-ctx.Done():
			return p.Stop(context.WithoutCancel(ctx))
		}
		if p.Err() == nil {
			return nil
		}
		if !wasKilled(p.Err()) {
			return fmt.Errorf("%s: %w", name, p.Err())
		}
		fmt.Printf("%s ended (%v): beginning it again\n", name, p.Err())
	}
	return fmt.Errorf("%s was killed %d times", name, attempts)
}

func wasKilled(err error) bool {
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return false
	}
	status, ok := ended.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// empty removes what the last run left in its folder, but for the lock, which we hold.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("empty the state folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("empty the state folder: %w", err)
		}
	}
	return nil
}
