package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/step"
)

// Programs are the packages that a stack, the load and the audit consist of. Each becomes a program of its folder's name.
var Programs = []string{
	"./services/order", "./services/inventory", "./services/payment", "./services/shipping", "./services/topology",
	"./hack/sim", "./hack/load", "./hack/audit",
}

// BuildOptions say how to build the programs. The zero value builds Programs into bin/ of the project.
type BuildOptions struct {
	// Root and Bin are as in Options.
	Root, Bin string
	// Race builds with the race detector.
	Race bool
	// Programs to build. Empty means Programs.
	Programs []string
	Progress *step.Printer
}

// Build compiles the programs.
func Build(ctx context.Context, o BuildOptions) error {
	root, err := rootOr(o.Root)
	if err != nil {
		return err
	}
	if o.Bin == "" {
		o.Bin = filepath.Join(root, "bin")
	}
	if len(o.Programs) == 0 {
		o.Programs = Programs
	}
	args := []string{"build", "-buildvcs=false", "-o", o.Bin + string(filepath.Separator)}
	if o.Race {
		args = append(args, "-race")
	}
	return o.Progress.Do(ctx, "build the programs", func(ctx context.Context) error {
		return goRun(ctx, root, o.Bin, append(args, o.Programs...))
	})
}

// goRun runs the go command in root.
func goRun(ctx context.Context, root, bin string, args []string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make folder of programs: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, install.Tail(out.String(), 40))
	}
	return nil
}
