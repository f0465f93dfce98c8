package plan_test

import (
	"fmt"
	"testing"

	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/plan"
)

// large is a broker with 500 exchanges, 500 queues that each have a policy, four
// rungs and a dead-letter queue, and 9,000 bindings, and the same as desired.
func large(b *testing.B) (plan.Desired, plan.Observed) {
	b.Helper()
	var want plan.Desired
	for i := range 500 {
		name := fmt.Sprintf("q%d", i)
		id := plan.ID{Kind: plan.KindQueue, Vhost: "/", Name: name}
		want.Exchanges = append(want.Exchanges, plan.WantExchange{Exchange: direct("e" + name)}, plan.WantExchange{Exchange: direct(name + ".retry"), Generated: true})
		want.Policies = append(want.Policies, plan.WantPolicy{Policy: policyOf(name, args{"delivery-limit": 50}), Target: id})
		want.Queues = append(want.Queues, plan.WantQueue{Queue: quorum(name)})
		for _, rung := range []string{".retry.1s", ".retry.5s", ".retry.30s", ".retry.2m", ".dlq"} {
			want.Queues = append(want.Queues, plan.WantQueue{Queue: quorum(name + rung), Generated: true})
		}
		for k := range 18 {
			want.Bindings = append(want.Bindings, plan.WantBinding{Binding: from("e"+name, name, fmt.Sprintf("key.%d", k))})
		}
		want.Families = append(want.Families, plan.Family{
			Vhost: "/", Queue: name, RetryExchange: name + ".retry", DeadLetter: name + ".dlq", RungPrefix: name + ".retry.",
			Policy: name + ".policy", Pattern: "^" + name + "$",
		})
	}
	w := &brokertest.World{Holds: plan.Observed{Vhosts: map[string]*plan.Vhost{"/": brokertest.Vhost()}}}
	v := w.Holds.Vhosts["/"]
	for i := range want.Exchanges {
		v.Exchanges[want.Exchanges[i].Name] = want.Exchanges[i].Exchange
	}
	for i := range want.Policies {
		v.Policies[want.Policies[i].Name] = want.Policies[i].Policy
	}
	for i := range want.Queues {
		v.Queues[want.Queues[i].Name] = plan.QueueState{Queue: want.Queues[i].Queue}
	}
	for i := range want.Bindings {
		v.Bindings = append(v.Bindings, want.Bindings[i].Binding)
	}
	return want, w.Holds
}

func BenchmarkDiffInSync(b *testing.B) {
	want, have := large(b)
	for b.Loop() {
		if p := plan.Diff(want, have); !p.Empty() {
			b.Fatalf("%d steps, the first %s", len(p.Steps), p.Steps[0].Key)
		}
	}
}

func BenchmarkDiffFromNothing(b *testing.B) {
	want, _ := large(b)
	have := plan.Observed{Vhosts: map[string]*plan.Vhost{"/": brokertest.Vhost()}}
	for b.Loop() {
		if p := plan.Diff(want, have); len(p.Steps) != 13500 {
			b.Fatalf("%d steps", len(p.Steps))
		}
	}
}
