package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// Outcome is what became of a step.
type Outcome string

// The outcomes.
const (
	// Done is carried out, and seen on the broker.
	Done Outcome = "done"
	// Failed was tried and refused, or accepted and not seen.
	Failed Outcome = "failed"
	// Held is riskier than was allowed.
	Held Outcome = "held"
	// Refused is blocked: it cannot or must not be done.
	Refused Outcome = "blocked"
	// Waiting needs a step that was not carried out.
	Waiting Outcome = "waiting"
)

// Result is a step and what became of it.
type Result struct {
	Step    plan.Step
	Outcome Outcome
	// Err says why, unless the outcome is Done.
	Err error
}

// Options of Apply. The zero value allows safe steps only.
type Options struct {
	// MaxRisk is the greatest risk that is carried out.
	MaxRisk plan.Risk
	// Settle bounds how long a broker may take to show what it accepted; 15 s if 0.
	Settle time.Duration
	// Progress, if not nil, is called with each result as soon as it is known.
	Progress func(Result)
}

const (
	defaultSettle = 15 * time.Second
	settlePause   = 50 * time.Millisecond
)

// Preview returns the plan that Apply would carry out, with the steps blocked that
// the broker says it would refuse.
func Preview(ctx context.Context, s Session, want plan.Desired) (plan.Plan, error) {
	have, err := s.Observe(ctx, want)
	if err != nil {
		return plan.Plan{}, err
	}
	p := plan.Diff(want, have)
	for i, err := range s.Check(ctx, p.Steps) {
		if err != nil && fault.KindOf(err) != fault.Unavailable {
			p.Steps[i].Block(err.Error())
		}
	}
	return p, nil
}

// Apply makes the broker equal to want, as far as the options allow. The results
// are in the order of the plan, one for each step. An error means that the broker
// could not be observed; what was done before it stands in the results.
func Apply(ctx context.Context, s Session, want plan.Desired, opts Options) ([]Result, error) {
	p, err := Preview(ctx, s, want)
	if err != nil {
		return nil, err
	}
	r := &run{session: s, opts: opts, want: want, left: map[plan.Key]int{}}
	r.results = make([]Result, len(p.Steps))
	for i := range p.Steps {
		r.results[i].Step = p.Steps[i]
		r.left[p.Steps[i].Key] = i
	}
	r.hold()
	r.waves(ctx)
	return r.results, r.verify(ctx)
}

type run struct {
	session Session
	opts    Options
	want    plan.Desired
	results []Result
	// left are the steps without an outcome.
	left map[plan.Key]int
}

func (r *run) finish(i int, o Outcome, err error) {
	r.results[i].Outcome, r.results[i].Err = o, err
	delete(r.left, r.results[i].Step.Key)
	// Done is not known before the broker shows it.
	if o != Done {
		r.report(i)
	}
}

func (r *run) report(i int) {
	if r.opts.Progress != nil {
		r.opts.Progress(r.results[i])
	}
}

// hold takes out what is blocked or riskier than allowed, and all that needs it.
func (r *run) hold() {
	for i := range r.results {
		s := &r.results[i].Step
		switch {
		case s.Risk == plan.Blocked:
			r.finish(i, Refused, fault.New(fault.Invalid, s.Reason))
		case s.Risk > r.opts.MaxRisk:
			r.finish(i, Held, fault.Newf(fault.Invalid, "%s; allow it with --max-risk %s", s.Reason, s.Risk))
		}
	}
	r.starve()
}

// starve takes out the steps that need one that will not be carried out.
func (r *run) starve() {
	index := map[plan.Key]int{}
	for i := range r.results {
		index[r.results[i].Step.Key] = i
	}
	for again := true; again; {
		again = false
		for _, i := range r.pending() {
			for _, k := range r.results[i].Step.After {
				if j := r.results[index[k]]; j.Outcome != "" && j.Outcome != Done {
					r.finish(i, Waiting, fault.Newf(fault.Unavailable, "waits for: %s", k))
					again = true
					break
				}
			}
		}
	}
}

// pending are the steps without an outcome, in the order of the plan.
func (r *run) pending() []int {
	out := make([]int, 0, len(r.left))
	for _, i := range r.left {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// waves carries out what is ready until nothing is left.
func (r *run) waves(ctx context.Context) {
	for len(r.left) > 0 {
		ready := r.ready()
		if len(ready) == 0 {
			r.stuck()
			return
		}
		steps := make([]plan.Step, len(ready))
		for n, i := range ready {
			steps[n] = r.results[i].Step
		}
		for n, err := range r.session.Execute(ctx, steps) {
			if err != nil {
				r.finish(ready[n], Failed, err)
				continue
			}
			r.finish(ready[n], Done, nil)
		}
		r.starve()
	}
}

// stuck gives up steps that need one another: no plan has such, but a loop here
// would never end.
func (r *run) stuck() {
	for _, i := range r.pending() {
		r.finish(i, Waiting, fault.New(fault.Internal, "needs a step that needs it"))
	}
}

// ready are the pending steps that need no pending one.
func (r *run) ready() []int {
	return slices.DeleteFunc(r.pending(), func(i int) bool {
		return slices.ContainsFunc(r.results[i].Step.After, func(k plan.Key) bool {
			_, waits := r.left[k]
			return waits
		})
	})
}

// verify observes until the broker shows every step that was carried out.
func (r *run) verify(ctx context.Context) error {
	settle := r.opts.Settle
	if settle == 0 {
		settle = defaultSettle
	}
	deadline, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for {
		unseen, err := r.unseen(deadline)
		shown := err == nil && len(unseen) == 0
		hopeless := err != nil && !fault.Is(err, fault.Unavailable) || err == nil && allBlocked(unseen)
		if shown || hopeless || !pause(deadline) {
			r.conclude(unseen, err)
			if err != nil {
				return fmt.Errorf("look whether the broker shows what was changed: %w", err)
			}
			return ctx.Err()
		}
	}
}

// allBlocked: waiting does not help when what is planned still cannot be done.
func allBlocked(unseen map[plan.ID]plan.Step) bool {
	for _, s := range unseen {
		if s.Risk < plan.Blocked {
			return false
		}
	}
	return true
}

// unseen are the objects that were changed and for which something is planned
// still.
func (r *run) unseen(ctx context.Context) (map[plan.ID]plan.Step, error) {
	out := map[plan.ID]plan.Step{}
	if !slices.ContainsFunc(r.results, func(x Result) bool { return x.Outcome == Done }) {
		return out, nil
	}
	have, err := r.session.Observe(ctx, r.want)
	if err != nil {
		return nil, err
	}
	done, undone := map[plan.ID]bool{}, map[plan.Key]bool{}
	for i := range r.results {
		if r.results[i].Outcome == Done {
			done[r.results[i].Step.ID] = true
			continue
		}
		// A change that was held back is planned still, and rightly.
		undone[r.results[i].Step.Key] = true
	}
	for _, s := range plan.Diff(r.want, have).Steps {
		if done[s.ID] && !undone[s.Key] {
			out[s.ID] = s
		}
	}
	return out, nil
}

// conclude gives the steps that were carried out their last word: err says why the
// broker could not be looked at.
func (r *run) conclude(unseen map[plan.ID]plan.Step, err error) {
	for i := range r.results {
		if r.results[i].Outcome != Done {
			continue
		}
		s, still := unseen[r.results[i].Step.ID]
		switch {
		case err != nil:
			r.results[i].Outcome = Failed
			r.results[i].Err = fault.Wrap(fault.KindOf(err), err, "the broker accepted it, and then could not be asked")
		case still:
			r.results[i].Outcome = Failed
			r.results[i].Err = fault.Newf(fault.Unavailable,
				"the broker accepted it and does not show it (%s): %s", paths(s), remedy(s))
		}
		r.report(i)
	}
}

func remedy(s plan.Step) string {
	if s.Risk == plan.Blocked {
		return s.Reason
	}
	return "look who else changes it, then apply again"
}

func paths(s plan.Step) string {
	if len(s.Fields) == 0 {
		return string(s.Op)
	}
	var out []string
	for _, f := range s.Fields {
		out = append(out, f.Path)
	}
	return strings.Join(out, ", ")
}

func pause(ctx context.Context) bool {
	t := time.NewTimer(settlePause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
