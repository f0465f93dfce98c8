// Command local runs Parley on one machine: `go run ./hack/local up | down | logs | status | demo | test`. See its README.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run in order. A second one ends this process at once, and the kernel its children with it.
	context.AfterFunc(ctx, stop)
	err := command().ExecuteContext(ctx)
	var code exitCode
	switch {
	case errors.As(err, &code):
		os.Exit(int(code))
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// exitCode ends the program with that code and without a message: what it says has been said.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "local",
		Short:         "Run Parley on one machine, without containers",
		Long:          "Run Parley on one machine, without containers.\n\n" + settingsHelp(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), logsCommand(), statusCommand(), demoCommand(), testCommand())
	return root
}
