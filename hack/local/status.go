package main

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what runs and where; exit 1 when nothing does",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return status() },
	}
}

func status() error {
	root, err := project()
	if err != nil {
		return err
	}
	progress := step.New(os.Stdout)
	found, err := running(root)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		state := found[kind]
		progress.Say("%s, by process %d, state in %s", kind, state.Owner.PID, folder(root, kind))
		for _, name := range slices.Sorted(maps.Keys(state.Processes)) {
			id := state.Processes[name]
			says := "runs"
			if !id.Alive() {
				says = "is being started again"
			}
			progress.Say("  %-12s process %-8d %s %s", name, id.PID, says, cmp.Or(state.URLs[name], ""))
		}
	}
	if len(found) == 0 {
		progress.Say("nothing runs")
		return exitCode(1)
	}
	return nil
}

// running reads the states of the runs that run now, by kind.
func running(root string) (map[string]stack.State, error) {
	found := map[string]stack.State{}
	for _, kind := range []string{"up", "demo"} {
		state, err := stack.Read(folder(root, kind))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		case state.Running():
			found[kind] = state
		}
	}
	return found, nil
}
