package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
	"parley.sh/services/topology/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const manifests = `apiVersion: messaging.parley.sh/v1alpha1
kind: Exchange
metadata: {name: e}
spec:
  brokerRef: {kind: RabbitmqCluster, name: r}
---
apiVersion: messaging.parley.sh/v1alpha1
kind: Queue
metadata: {name: q}
spec:
  brokerRef: {kind: RabbitmqCluster, name: r}
  bindings: [{exchange: e, routingKeys: [a]}]
  deadLetter: {}
---
apiVersion: messaging.parley.sh/v1alpha1
kind: Queue
metadata: {name: other}
spec:
  brokerRef: {kind: RabbitmqCluster, name: r}
`

func desired(t *testing.T) plan.Desired {
	t.Helper()
	documents, problems := manifest.Decode("f", []byte(manifests))
	want, more := spec.Compile(documents, "/")
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	return want
}

func empty() *brokertest.World {
	return &brokertest.World{Holds: plan.Observed{Vhosts: map[string]*plan.Vhost{"/": brokertest.Vhost()}}}
}

func outcomes(results []broker.Result) map[string]broker.Outcome {
	out := map[string]broker.Outcome{}
	for _, r := range results {
		out[r.Step.String()] = r.Outcome
	}
	return out
}

// undone are the outcomes but for those that are done.
func undone(results []broker.Result) map[string]broker.Outcome {
	out := outcomes(results)
	for k, v := range out {
		if v == broker.Done {
			delete(out, k)
		}
	}
	return out
}

// What does not need one another goes together; what is needed goes before.
func TestApplyGoesInWaves(t *testing.T) {
	t.Parallel()
	w := empty()
	var told []string
	results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{
		Progress: func(r broker.Result) { told = append(told, fmt.Sprint(r.Step.Key, " ", r.Outcome)) },
	})
	if err != nil || len(undone(results)) > 0 || len(told) != len(results) {
		t.Fatalf("%v, %d told: %v", err, len(told), outcomes(results))
	}
	var waves [][]string
	for _, wave := range w.Waves {
		var names []string
		for _, k := range wave {
			names = append(names, k.ID.String())
		}
		waves = append(waves, names)
	}
	want := [][]string{
		{"exchange e", "exchange q.retry", "queue q.dlq", "policy other.policy"},
		{"binding q.retry -> queue q.dlq [dlq]", "queue other"},
		{"policy q.policy"},
		{"queue q"},
		{"binding e -> queue q [a]"},
	}
	if diff := cmp.Diff(want, waves); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := broker.Apply(t.Context(), w, desired(t), broker.Options{})
	if err != nil || len(again) > 0 {
		t.Errorf("applying again: %v, %v", outcomes(again), err)
	}
}

// One refusal holds back what needs it and nothing else, and applying again takes
// up there.
func TestApplyGoesOnWithoutWhatFails(t *testing.T) {
	t.Parallel()
	w := empty()
	no := fault.New(fault.Invalid, "no")
	w.Refuse = func(s plan.Step) error {
		if s.ID.Name == "q.dlq" {
			return no
		}
		return nil
	}
	results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{})
	want := map[string]broker.Outcome{
		"create queue q.dlq": broker.Failed, "create binding q.retry -> queue q.dlq [dlq]": broker.Waiting,
		"create policy q.policy": broker.Waiting, "create queue q": broker.Waiting, "create binding e -> queue q [a]": broker.Waiting,
	}
	if diff := cmp.Diff(want, undone(results)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, r := range results {
		if (r.Err != nil) != (r.Outcome != broker.Done) || (r.Outcome == broker.Failed && !errors.Is(r.Err, no)) {
			t.Errorf("%s is %s with %v", r.Step.Key, r.Outcome, r.Err)
		}
	}
	w.Refuse = nil
	results, err = broker.Apply(t.Context(), w, desired(t), broker.Options{})
	if err != nil || len(results) != len(want) || len(undone(results)) > 0 {
		t.Errorf("again: %v, %v", err, outcomes(results))
	}
}

func TestApplyHoldsBackRisk(t *testing.T) {
	t.Parallel()
	apply := func(w *brokertest.World, risk plan.Risk) map[string]broker.Outcome {
		results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{MaxRisk: risk})
		if err != nil {
			t.Fatal(err)
		}
		return outcomes(results)
	}
	world := func() *brokertest.World {
		w := empty()
		apply(w, plan.Safe)
		w.Execute(t.Context(), []plan.Step{{
			Key:    plan.Key{Op: plan.Create, ID: plan.ID{Kind: plan.KindBinding, Vhost: "/", Name: "by hand"}},
			Object: &plan.Binding{Vhost: "/", Source: "e", Destination: "q", DestinationKind: plan.KindQueue, RoutingKey: "hand"},
		}})
		return w
	}
	const unbind = "delete binding e -> queue q [hand]"
	tests := map[string]struct {
		risk plan.Risk
		want broker.Outcome
	}{
		"safe":        {plan.Safe, broker.Held},
		"disruptive":  {plan.Disruptive, broker.Done},
		"destructive": {plan.Destructive, broker.Done},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(map[string]broker.Outcome{unbind: tc.want}, apply(world(), tc.risk)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A broker's yes is not believed: what it does not show was not done.
func TestApplyLooksAgain(t *testing.T) {
	t.Parallel()
	w := empty()
	w.Lose = func(s plan.Step) bool { return s.ID.Name == "other" }
	results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{Settle: 100 * time.Millisecond})
	if diff := cmp.Diff(map[string]broker.Outcome{"create queue other": broker.Failed}, undone(results)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestApplyBlocked(t *testing.T) {
	t.Parallel()
	w := &brokertest.World{}
	results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{MaxRisk: plan.Destructive})
	if err != nil || len(results) == 0 || len(w.Waves) > 0 {
		t.Fatalf("%v, %d waves, %v", err, len(w.Waves), outcomes(results))
	}
	for _, r := range results {
		if r.Outcome != broker.Refused && r.Outcome != broker.Waiting {
			t.Errorf("%s is %s without a vhost", r.Step.Key, r.Outcome)
		}
	}
}

func TestApplyWithoutBroker(t *testing.T) {
	t.Parallel()
	w := empty()
	w.Down = true
	if results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{}); !fault.Is(err, fault.Unavailable) || results != nil {
		t.Errorf("%v, %v", err, results)
	}
	w.Down = false
	w.Refuse = func(plan.Step) error { w.Down = true; return nil }
	results, err := broker.Apply(t.Context(), w, desired(t), broker.Options{Settle: 50 * time.Millisecond})
	if !fault.Is(err, fault.Unavailable) || len(results) == 0 {
		t.Errorf("gone in the middle: %v, %v", err, outcomes(results))
	}
	w.Down, w.Refuse = false, nil
	if _, err := broker.Apply(t.Context(), w, desired(t), broker.Options{}); err != nil {
		t.Fatal(err)
	}
	p, err := broker.Preview(t.Context(), w, desired(t))
	if diff := cmp.Diff(plan.Plan{}, p, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("back again, %v, still planned:\n%s", err, diff)
	}
}
