package cli

import (
	"context"

	"github.com/spf13/cobra"

	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/plan"
)

func planCommand(w *World) *cobra.Command {
	f := &flags{}
	var detailed bool
	c := &cobra.Command{
		Use:   "plan -f PATH... [--broker KIND/NAME=URL]...",
		Short: "Show what apply would change, and its risk",
		Example: "  topology plan -f k8s/topology --broker Kafka/parley=kafka://127.0.0.1:9092 \\\n" +
			"    --broker 'RabbitmqCluster/parley=amqp://guest@127.0.0.1:5672/'",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runPlan(c.Context(), w, f, detailed)
		},
	}
	f.manifests(c)
	f.addresses(c)
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when there are changes")
	return c
}

func runPlan(ctx context.Context, w *World, f *flags, detailed bool) error {
	list, err := prepare(w, f)
	if err != nil {
		return err
	}
	var out planReport
	for _, t := range list {
		p, err := preview(ctx, w, f, t)
		out.add(t, p, err)
	}
	if err := out.write(w, f.output); err != nil {
		return err
	}
	switch {
	case out.failed:
		return exit(exitError)
	case detailed && out.changes > 0:
		return exit(exitChanges)
	}
	return nil
}

func prepare(w *World, f *flags) ([]target, error) {
	documents, err := f.load(w)
	if err != nil {
		return nil, err
	}
	return targets(w, f.brokers, documents)
}

func preview(ctx context.Context, w *World, f *flags, t target) (plan.Plan, error) {
	s, err := t.reach(ctx, w, f.wait)
	if err != nil {
		return plan.Plan{}, err
	}
	defer func() { _ = s.Close() }()
	return broker.Preview(ctx, s, t.want)
}

// planReport is what plan says.
type planReport struct {
	brokers []planned
	changes int
	failed  bool
}

type planned struct {
	Broker  string      `json:"broker"`
	Address string      `json:"address"`
	Steps   []plan.Step `json:"steps"`
	Error   string      `json:"error,omitempty"`
}

func (r *planReport) add(t target, p plan.Plan, err error) {
	b := planned{Broker: t.ref, Address: t.address.String(), Steps: append([]plan.Step{}, p.Steps...)}
	if err != nil {
		b.Error = err.Error()
		r.failed = true
	}
	r.changes += len(p.Steps)
	r.brokers = append(r.brokers, b)
}

func (r *planReport) write(w *World, format string) error {
	if format == "json" {
		return writeJSON(w.Stdout, map[string]any{"brokers": r.brokers, "summary": r.summary().counts()})
	}
	for _, b := range r.brokers {
		say(w.Stdout, "%s (%s)\n", b.Broker, b.Address)
		if b.Error != "" {
			say(w.Stderr, "%s: %s\n", b.Broker, b.Error)
			say(w.Stdout, "  could not be planned\n")
			continue
		}
		for i := range b.Steps {
			writeStep(w.Stdout, &b.Steps[i])
		}
		if len(b.Steps) == 0 {
			say(w.Stdout, "  nothing to do\n")
		}
	}
	say(w.Stdout, "\n%s\n", r.summary())
	return nil
}

func (r *planReport) summary() summary {
	s := summary{title: "Plan"}
	for _, b := range r.brokers {
		for i := range b.Steps {
			s.count(&b.Steps[i])
		}
	}
	return s
}
