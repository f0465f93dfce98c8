package cli

import (
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/spec"
)

func validateCommand(w *World) *cobra.Command {
	f := &flags{}
	c := &cobra.Command{
		Use:     "validate -f PATH...",
		Short:   "Check manifests without any broker",
		Example: "  topology validate -f k8s/topology",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			documents, err := f.load(w)
			if err == nil {
				err = compile(documents)
			}
			return validated(w, f, documents, err)
		},
	}
	f.manifests(c)
	return c
}

// compile finds what no document shows alone.
func compile(documents []manifest.Document) error {
	groups := byBroker(documents)
	var problems []manifest.Problem
	for _, ref := range slices.Sorted(maps.Keys(groups)) {
		_, bad := spec.Compile(groups[ref], "")
		problems = append(problems, bad...)
	}
	if len(problems) > 0 {
		return &manifest.Error{Problems: problems}
	}
	return nil
}

func validated(w *World, f *flags, documents []manifest.Document, err error) error {
	var bad *manifest.Error
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	problems := []manifest.Problem{}
	if bad != nil {
		problems = bad.Problems
	}
	if f.output == "json" {
		if err := writeJSON(w.Stdout, map[string]any{"manifests": len(documents), "problems": problems}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			say(w.Stderr, "%s\n", p)
		}
	}
	if len(problems) > 0 {
		return exit(exitError)
	}
	if f.output == "text" {
		say(w.Stdout, "%s: all valid\n", plural(len(documents), "manifest"))
	}
	return nil
}
