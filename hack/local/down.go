package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// downTimeout is how long the owner of the platform may take to stop it.
const downTimeout = 90 * time.Second

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop exactly what `up` started",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return down(c.Context()) },
	}
}

func down(ctx context.Context) error {
	root, err := project()
	if err != nil {
		return err
	}
	progress := step.New(os.Stdout)
	dir := folder(root, "up")
	state, err := stack.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		progress.Say("nothing runs")
		return nil
	}
	if err != nil {
		return err
	}
	if !state.Running() {
		return progress.Do(ctx, "end what an interrupted run left", func(context.Context) error { return cleanOwned(dir) })
	}
	return progress.Do(ctx, fmt.Sprintf("stop the platform (process %d)", state.Owner.PID), func(ctx context.Context) error {
		return stopOwner(ctx, dir, state)
	})
}

func cleanOwned(dir string) error {
	release, err := own(dir)
	if err != nil {
		return err
	}
	release()
	return nil
}

// stopOwner asks the owner to stop, waits until it has let go of its folder, and kills it when it does not. Its children die
// with it, and cleanOwned ends those that do not.
func stopOwner(ctx context.Context, dir string, state stack.State) error {
	if err := state.Owner.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	release, err := install.Lock(ctx, filepath.Join(dir, "lock"))
	if err == nil {
		release()
		return nil
	}
	return errors.Join(state.Owner.Signal(syscall.SIGKILL), cleanOwned(dir))
}
