package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitFine    = 0
	exitError   = 1
	exitChanges = 2
)

// World is what a command touches outside its brokers.
type World struct {
	Args   []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Getenv reads the environment; an absent variable is empty.
	Getenv func(string) string
	// Context ends the command; the signals of the system if nil.
	Context context.Context //nolint:containedctx // the one context of the process, handed to main
}

// System is the world of a process.
func System() World {
	return World{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, //nolint:forbidigo // its variables are named by the manifests' brokers: no struct can list them
	}
}

// exit is an error that is said already, with the code of the process.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Main runs the command line and returns the exit code.
func Main(w World) int {
	ctx := w.Context
	if ctx == nil {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	root := command(&w)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &code):
		return int(code)
	}
	say(w.Stderr, "topology: %v\n", err)
	return exitError
}

func command(w *World) *cobra.Command {
	root := &cobra.Command{
		Use:           "topology",
		Short:         "Plan and apply topics, queues and exchanges of Kafka and RabbitMQ from manifests",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetArgs(w.Args)
	root.SetIn(w.Stdin)
	root.SetOut(w.Stdout)
	root.SetErr(w.Stderr)
	root.AddCommand(validateCommand(w), planCommand(w), applyCommand(w))
	return root
}
