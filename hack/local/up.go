package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// platformPrograms are what a run consists of, without load and audit.
var platformPrograms = []string{
	"./services/order", "./services/inventory", "./services/payment", "./services/shipping", "./services/topology", "./hack/sim",
}

func upCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Start the platform and keep it running until Ctrl-C or `down`",
		Long: "Start the platform and keep it running until Ctrl-C or `down`. What dies is started again. State is kept from one " +
			"run to the next. When the platform runs already, say where.\n\n" + settingsHelp(),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return up(c.Context()) },
	}
}

func up(ctx context.Context) error {
	root, err := project()
	if err != nil {
		return err
	}
	progress := step.New(os.Stdout)
	dir := folder(root, "up")
	release, err := own(dir)
	if errors.Is(err, errRunning) {
		return showRunning(progress, dir)
	}
	if err != nil {
		return err
	}
	defer release()
	o, err := stackOptions(root, "up", progress)
	if err != nil {
		return err
	}
	return platform(ctx, o, platformPrograms, func(ctx context.Context, s *stack.Stack) error {
		state, err := stack.Read(dir)
		if err != nil {
			return err
		}
		show(progress, dir, state.URLs)
		progress.Say("try: curl '%s/api/inventory/check?productId=123'", s.URL(stack.Inventory))
		progress.Say("Ctrl-C, or make down in another terminal, stops it; make logs follows it.")
		<-ctx.Done()
		return nil
	})
}

// showRunning says where the platform is that another process runs.
func showRunning(progress *step.Printer, dir string) error {
	state, err := stack.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		progress.Say("the platform is being started by another process")
		return nil
	}
	if err != nil {
		return err
	}
	progress.Say("the platform runs already, by process %d; make down stops it", state.Owner.PID)
	show(progress, dir, state.URLs)
	return nil
}
