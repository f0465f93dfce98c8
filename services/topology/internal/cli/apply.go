package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/plan"
)

func applyCommand(w *World) *cobra.Command {
	f := &flags{}
	var risk string
	c := &cobra.Command{
		Use:   "apply -f PATH... [--broker KIND/NAME=URL]...",
		Short: "Make the brokers equal to the manifests",
		Long: "Apply carries out the plan, step by step, as far as the risk allows, and then looks until each broker\n" +
			"shows what was asked. Applying again changes nothing, or takes up where it stopped.",
		Example: "  topology apply -f k8s/topology --broker Kafka/parley=kafka://127.0.0.1:9092 \\\n" +
			"    --broker 'RabbitmqCluster/parley=amqp://guest@127.0.0.1:5672/' --wait 60s",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			limit, err := plan.ParseRisk(risk)
			if err == nil && limit == plan.Blocked {
				err = errors.New("nothing can allow what is blocked: it is safe, disruptive or destructive")
			}
			if err != nil {
				return fmt.Errorf("--max-risk: %w", err)
			}
			return runApply(c.Context(), w, f, limit)
		},
	}
	f.manifests(c)
	f.addresses(c)
	c.Flags().StringVar(&risk, "max-risk", "safe", "the greatest `RISK` to carry out: safe, disruptive or destructive")
	return c
}

func runApply(ctx context.Context, w *World, f *flags, limit plan.Risk) error {
	list, err := prepare(w, f)
	if err != nil {
		return err
	}
	r := &applyReport{w: w, quiet: f.output == "json"}
	for _, t := range list {
		r.begin(t)
		s, err := t.reach(ctx, w, f.wait)
		if err != nil {
			r.end(t, nil, err)
			continue
		}
		results, err := broker.Apply(ctx, s, t.want, broker.Options{MaxRisk: limit, Progress: r.step})
		r.end(t, results, err)
		_ = s.Close()
	}
	return r.conclude()
}

// applyReport is what apply says: each step as it becomes known, then the sums.
type applyReport struct {
	w       *World
	quiet   bool
	brokers []applied
	counts  map[broker.Outcome]int
	failed  bool
}

type applied struct {
	Broker  string       `json:"broker"`
	Address string       `json:"address"`
	Steps   []stepResult `json:"steps"`
	Error   string       `json:"error,omitempty"`
}

type stepResult struct {
	Step    plan.Step      `json:"step"`
	Outcome broker.Outcome `json:"outcome"`
	Error   string         `json:"error,omitempty"`
}

func (r *applyReport) begin(t target) {
	if !r.quiet {
		say(r.w.Stdout, "%s (%s)\n", t.ref, t.address)
	}
}

func (r *applyReport) step(x broker.Result) {
	if r.quiet {
		return
	}
	say(r.w.Stdout, "  %s %-6s %s   %s\n", mark(&x.Step), x.Step.Op, clean(x.Step.ID.String()), x.Outcome)
	if x.Err == nil {
		return
	}
	say(r.w.Stdout, "      %s: %s\n", clean(x.Step.Owner), clean(x.Err.Error()))
	for _, f := range x.Step.Fields {
		if x.Step.Op != plan.Create {
			say(r.w.Stdout, "      %s\n", difference(&x.Step, f))
		}
	}
}

func (r *applyReport) end(t target, results []broker.Result, err error) {
	b := applied{Broker: t.ref, Address: t.address.String(), Steps: []stepResult{}}
	if r.counts == nil {
		r.counts = map[broker.Outcome]int{}
	}
	for _, x := range results {
		s := stepResult{Step: x.Step, Outcome: x.Outcome}
		if x.Err != nil {
			s.Error = x.Err.Error()
			r.failed = true
		}
		r.counts[x.Outcome]++
		b.Steps = append(b.Steps, s)
	}
	if err != nil {
		b.Error, r.failed = err.Error(), true
		say(r.w.Stderr, "%s: %v\n", t.ref, err)
	}
	if !r.quiet && err == nil && len(results) == 0 {
		say(r.w.Stdout, "  nothing to do\n")
	}
	r.brokers = append(r.brokers, b)
}

func (r *applyReport) conclude() error {
	if r.quiet {
		if err := writeJSON(r.w.Stdout, map[string]any{"brokers": r.brokers, "summary": r.counts}); err != nil {
			return err
		}
	} else {
		say(r.w.Stdout, "\nApplied: %d done, %d failed, %d held back by --max-risk, %d blocked, %d waiting\n",
			r.counts[broker.Done], r.counts[broker.Failed], r.counts[broker.Held], r.counts[broker.Refused], r.counts[broker.Waiting])
	}
	if r.failed {
		return exit(exitError)
	}
	return nil
}
