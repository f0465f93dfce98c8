package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"parley.sh/services/topology/internal/manifest"
)

// flags are what the commands share.
type flags struct {
	files   []string
	brokers []string
	output  string
	wait    time.Duration
}

func (f *flags) manifests(c *cobra.Command) {
	c.Flags().StringSliceVarP(&f.files, "filename", "f", nil,
		"manifest `PATH`: a file, a folder with all below it, or - for the standard input (repeatable)")
	c.Flags().StringVarP(&f.output, "output", "o", "text", "output `FORMAT`: text or json")
	_ = c.MarkFlagRequired("filename")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *flags) addresses(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.brokers, "broker", nil,
		"address of a broker as `KIND/NAME=URL`, such as Kafka/parley=kafka://127.0.0.1:9092 (repeatable); "+
			"else TOPOLOGY_BROKER_<KIND>_<NAME>; the password from TOPOLOGY_PASSWORD_<KIND>_<NAME>")
	c.Flags().DurationVar(&f.wait, "wait", 0, "wait this long for brokers that are not there yet, such as 60s")
}

func (f *flags) check() error {
	if f.output != "text" && f.output != "json" {
		return fmt.Errorf("-o is %q: it must be text or json", f.output)
	}
	return nil
}

// load reads the manifests.
func (f *flags) load(w *World) ([]manifest.Document, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return manifest.Load(f.files, w.Stdin)
}
