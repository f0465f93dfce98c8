package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/plan"
)

type args = map[string]any

func quorum(name string) plan.Queue {
	return plan.Queue{Vhost: "/", Name: name, Durable: true, Arguments: args{"x-queue-type": "quorum"}}
}

func direct(name string) plan.Exchange {
	return plan.Exchange{Vhost: "/", Name: name, Type: "direct", Durable: true}
}

func from(source, queue, key string) plan.Binding {
	return plan.Binding{Vhost: "/", Source: source, Destination: queue, DestinationKind: plan.KindQueue, RoutingKey: key}
}

func policyOf(queue string, definition args) plan.Policy {
	return plan.Policy{
		Vhost: "/", Name: queue + ".policy", Pattern: "^" + queue + "$", ApplyTo: "quorum_queues", Priority: 100,
		Definition: definition,
	}
}

func TestRabbit(t *testing.T) {
	t.Parallel()
	never := plan.Owner{Name: "Queue q", Untouchable: true}
	target := plan.ID{Kind: plan.KindQueue, Vhost: "/", Name: "q"}
	ttl := func(n any) plan.WantPolicy {
		return plan.WantPolicy{Policy: policyOf("q", args{"message-ttl": n}), Target: target}
	}
	tests := map[string]struct {
		want plan.Desired
		// have are the objects that are there, in the order of making.
		have []plan.Object
		plan []string
	}{
		"everything of a queue, in order": {
			want: plan.Desired{
				Bindings: []plan.WantBinding{
					{Binding: from("e", "q", "k")}, {Binding: from("q.retry", "q.dlq", "dlq"), Generated: true},
				},
				Queues: []plan.WantQueue{
					{Queue: quorum("q"), Policy: plan.ID{Kind: plan.KindPolicy, Vhost: "/", Name: "q.policy"}}, {Queue: quorum("q.dlq"), Generated: true},
				},
				Policies:  []plan.WantPolicy{ttl(int64(1))},
				Exchanges: []plan.WantExchange{{Exchange: direct("q.retry"), Generated: true}, {Exchange: direct("e")}},
			},
			plan: []string{
				`safe: create exchange e; durable "" -> "true"; type "" -> "direct"`,
				`safe: create exchange q.retry; durable "" -> "true"; type "" -> "direct"`,
				`safe: create queue q.dlq; arguments.x-queue-type "" -> "quorum"; durable "" -> "true"`,
				`safe: create binding q.retry -> queue q.dlq [dlq]; routing_key "" -> "dlq"`,
				`safe: create policy q.policy; apply-to "" -> "quorum_queues"; definition.message-ttl "" -> "1"; pattern "" -> "^q$"; priority "" -> "100"`,
				`safe: create queue q; arguments.x-queue-type "" -> "quorum"; durable "" -> "true"`,
				`safe: create binding e -> queue q [k]; routing_key "" -> "k"`,
			},
		},
		"nothing to do": {
			want: plan.Desired{
				Queues:   []plan.WantQueue{{Queue: quorum("q")}},
				Policies: []plan.WantPolicy{ttl(5000)},
				Bindings: []plan.WantBinding{{Binding: from("amq.topic", "q", "k")}},
			},
			have: []plan.Object{ptr(quorum("q")), ptr(ttl(5000.0).Policy), ptr(from("amq.topic", "q", "k"))},
		},
		"an exchange cannot be changed": {
			want: plan.Desired{Exchanges: []plan.WantExchange{{Exchange: plan.Exchange{Vhost: "/", Name: "e", Type: "topic", Internal: true}}}},
			have: []plan.Object{ptr(direct("e"))},
			plan: []string{`blocked: update exchange e; durable "true" -> "false"; internal "false" -> "true"; type "direct" -> "topic"`},
		},
		"a queue cannot be changed": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: plan.Queue{Vhost: "/", Name: "q", Durable: true, Arguments: args{"x-queue-type": "quorum", "x-max-priority": int64(3)}}}}},
			have: []plan.Object{ptr(quorum("q"))},
			plan: []string{`blocked: update queue q; arguments.x-max-priority "" -> "3"`},
		},
		"a queue is replaced by consent, with its bindings": {
			want: plan.Desired{
				Queues:   []plan.WantQueue{{Queue: plan.Queue{Vhost: "/", Name: "q", Durable: true, Arguments: args{"x-queue-type": "classic"}}, Replace: true}},
				Bindings: []plan.WantBinding{{Binding: from("amq.topic", "q", "k")}},
			},
			have: []plan.Object{ptr(quorum("q")), ptr(from("amq.topic", "q", "k")), ptr(from("amq.topic", "q", "other"))},
			plan: []string{
				`destructive: delete queue q; arguments.x-queue-type "quorum" -> "classic"`,
				`safe: create queue q; arguments.x-queue-type "" -> "classic"; durable "" -> "true"`,
				`safe: create binding amq.topic -> queue q [k]; routing_key "" -> "k"`,
			},
		},
		"what never may be adopted is not replaced": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: plan.Queue{Vhost: "/", Name: "q", Durable: true}, Replace: true, Owner: never}}},
			have: []plan.Object{ptr(quorum("q"))},
			plan: []string{
				`blocked: delete queue q; arguments.x-queue-type "quorum" -> ""`,
				`safe: create queue q; durable "" -> "true"`,
			},
		},
		"unlisted bindings go after listed ones come": {
			want: plan.Desired{
				Queues:   []plan.WantQueue{{Queue: quorum("q"), Unmanaged: []string{"amq.match"}}},
				Bindings: []plan.WantBinding{{Binding: from("amq.topic", "q", "new")}},
			},
			have: []plan.Object{
				ptr(quorum("q")), ptr(quorum("other")),
				ptr(from("amq.topic", "q", "old")), ptr(from("amq.match", "q", "foreign")), ptr(from("amq.topic", "other", "old")),
			},
			plan: []string{
				`safe: create binding amq.topic -> queue q [new]; routing_key "" -> "new"`,
				`disruptive: delete binding amq.topic -> queue q [old]`,
			},
		},
		"bindings differ by their arguments": {
			want: plan.Desired{
				Queues:   []plan.WantQueue{{Queue: quorum("q")}},
				Bindings: []plan.WantBinding{{Binding: plan.Binding{Vhost: "/", Source: "amq.headers", Destination: "q", DestinationKind: plan.KindQueue, Arguments: args{"n": int64(1)}}}},
			},
			have: []plan.Object{ptr(quorum("q")), &plan.Binding{Vhost: "/", Source: "amq.headers", Destination: "q", DestinationKind: plan.KindQueue, Arguments: args{"n": "1"}}},
			plan: []string{
				`safe: create binding amq.headers -> queue q {"n":1}; arguments.n "" -> "1"`,
				`disruptive: delete binding amq.headers -> queue q {"n":"1"}`,
			},
		},
		"no exchange for a binding": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q")}}, Bindings: []plan.WantBinding{{Binding: from("gone", "q", "k")}}},
			have: []plan.Object{ptr(quorum("q"))},
			plan: []string{`blocked: create binding gone -> queue q [k]; routing_key "" -> "k"`},
		},
		"no vhost": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: plan.Queue{Vhost: "shop", Name: "q"}}}},
			plan: []string{`blocked: create queue q in vhost shop; durable "" -> "false"`},
		},
		"a policy that shortens drops messages": {
			want: plan.Desired{Policies: []plan.WantPolicy{ttl(10)}},
			have: []plan.Object{ptr(quorum("q")), ptr(ttl(20).Policy)},
			plan: []string{`destructive: update policy q.policy; definition.message-ttl "20" -> "10"`},
		},
		"a policy that shortens dead-letters": {
			want: plan.Desired{Policies: []plan.WantPolicy{{Policy: policyOf("q", args{"message-ttl": 5, "dead-letter-exchange": "q.retry", "max-length": 3, "overflow": "reject-publish"}), Target: target}}},
			have: []plan.Object{ptr(quorum("q"))},
			plan: []string{`disruptive: create policy q.policy; apply-to "" -> "quorum_queues"; definition.dead-letter-exchange "" -> "q.retry"; ` +
				`definition.max-length "" -> "3"; definition.message-ttl "" -> "5"; definition.overflow "" -> "reject-publish"; pattern "" -> "^q$"; priority "" -> "100"`},
		},
		"a policy that widens is safe": {
			want: plan.Desired{Policies: []plan.WantPolicy{{Policy: policyOf("q", args{"delivery-limit": -1, "max-length": 9}), Target: target}}},
			have: []plan.Object{ptr(quorum("q")), ptr(policyOf("q", args{"delivery-limit": 50, "max-length": 5}))},
			plan: []string{`safe: update policy q.policy; definition.delivery-limit "50" -> "-1"; definition.max-length "5" -> "9"`},
		},
		"a policy without dead-lettering drops": {
			want: plan.Desired{Policies: []plan.WantPolicy{{Policy: policyOf("q", args{"max-length": 5}), Target: target}}},
			have: []plan.Object{ptr(quorum("q")), ptr(policyOf("q", args{"dead-letter-exchange": "x", "max-length": 5}))},
			plan: []string{`destructive: update policy q.policy; definition.dead-letter-exchange "x" -> ""`},
		},
		"a policy for a queue that is not there is safe": {
			want: plan.Desired{Policies: []plan.WantPolicy{ttl(1)}},
			plan: []string{`safe: create policy q.policy; apply-to "" -> "quorum_queues"; definition.message-ttl "" -> "1"; pattern "" -> "^q$"; priority "" -> "100"`},
		},
		"a foreign policy would be shadowed": {
			want: plan.Desired{Policies: []plan.WantPolicy{ttl(1)}},
			have: []plan.Object{&plan.Policy{Vhost: "/", Name: "all", Pattern: ".*", ApplyTo: "all"}},
			plan: []string{`blocked: create policy q.policy; apply-to "" -> "quorum_queues"; definition.message-ttl "" -> "1"; ` +
				`effective policy "all" -> "q.policy"; pattern "" -> "^q$"; priority "" -> "100"`},
		},
		"a foreign policy wins": {
			want: plan.Desired{Policies: []plan.WantPolicy{ttl(1)}},
			have: []plan.Object{
				ptr(quorum("q")), ptr(ttl(1).Policy),
				&plan.Policy{Vhost: "/", Name: "mine", Pattern: "q", ApplyTo: "queues", Priority: 100},
			},
			plan: []string{`blocked: update policy q.policy; effective policy "mine" -> "q.policy"`},
		},
		"foreign policies for others do not matter": {
			want: plan.Desired{Policies: []plan.WantPolicy{ttl(1)}},
			have: []plan.Object{
				ptr(quorum("q")), ptr(ttl(1).Policy),
				&plan.Policy{Vhost: "/", Name: "lower", Pattern: "q", ApplyTo: "queues", Priority: 99},
				&plan.Policy{Vhost: "/", Name: "classic", Pattern: "q", ApplyTo: "classic_queues", Priority: 200},
				&plan.Policy{Vhost: "/", Name: "exchanges", Pattern: "q", ApplyTo: "exchanges", Priority: 200},
				&plan.Policy{Vhost: "/", Name: "elsewhere", Pattern: "^p", ApplyTo: "all", Priority: 200},
			},
		},
		"a foreign policy would reach a dead-letter queue": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q.dlq"), Generated: true}}},
			have: []plan.Object{&plan.Policy{Vhost: "/", Name: "all", Pattern: ".*", ApplyTo: "all", Definition: args{"max-length": 5}}},
			plan: []string{`blocked: create queue q.dlq; effective policy "all" -> ""`},
		},
		"a foreign policy that loses nothing may": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q.dlq"), Generated: true}}},
			have: []plan.Object{
				ptr(quorum("q.dlq")),
				&plan.Policy{Vhost: "/", Name: "all", Pattern: ".*", ApplyTo: "all", Definition: args{"queue-leader-locator": "balanced"}},
			},
		},
		"an alternate exchange that nobody makes": {
			want: plan.Desired{Policies: []plan.WantPolicy{{
				Policy: plan.Policy{Vhost: "/", Name: "e.exchange.policy", Pattern: "^e$", ApplyTo: "exchanges", Definition: args{"alternate-exchange": "gone"}},
				Target: plan.ID{Kind: plan.KindExchange, Vhost: "/", Name: "e"},
			}}},
			plan: []string{`blocked: create policy e.exchange.policy; apply-to "" -> "exchanges"; definition.alternate-exchange "" -> "gone"; pattern "" -> "^e$"; priority "" -> "0"`},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := plan.Diff(tc.want, observed(t, tc.have))
			if diff := cmp.Diff(tc.plan, lines(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, s := range got.Steps {
				if s.Risk > plan.Safe && s.Reason == "" {
					t.Errorf("%s is %s without a reason", s.Key, s.Risk)
				}
			}
		})
	}
}

// observed is a vhost "/" in which the objects were made.
func observed(t *testing.T, objects []plan.Object) plan.Observed {
	t.Helper()
	w := &brokertest.World{Holds: plan.Observed{Vhosts: map[string]*plan.Vhost{"/": brokertest.Vhost()}}}
	for _, o := range objects {
		if err := w.Execute(t.Context(), []plan.Step{{Key: plan.Key{Op: plan.Create, ID: o.ID()}, Object: o}})[0]; err != nil {
			t.Fatalf("make %s: %v", o.ID(), err)
		}
	}
	return w.Holds
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	rung := func(name, back string) *plan.Queue {
		q := quorum(name)
		q.Arguments = args{"x-queue-type": "quorum", "x-dead-letter-routing-key": back}
		return &q
	}
	dead := quorum("q.dlq")
	dead.Arguments = args{"x-queue-type": "quorum", "x-delivery-limit": -1}
	family := plan.Family{
		Vhost: "/", Queue: "q", RetryExchange: "q.retry", DeadLetter: "q.dlq", RungPrefix: "q.retry.",
		Policy: "q.policy", Pattern: "^q$", Owner: plan.Owner{Name: "Queue q"},
	}
	all := []plan.Object{
		ptr(quorum("q")), ptr(direct("q.retry")), &dead, rung("q.retry.1s", "q"), rung("q.retry.5s", "q"),
		ptr(from("q.retry", "q.retry.1s", "1s")), ptr(from("q.retry", "q.dlq", "dlq")), ptr(policyOf("q", args{"max-length": 1})),
	}
	keep := family
	keep.Keep = true
	tests := map[string]struct {
		want plan.Desired
		have []plan.Object
		plan []string
	}{
		"a rung less": {
			want: plan.Desired{
				Queues: []plan.WantQueue{
					{Queue: quorum("q")},
					{Queue: dead, Generated: true},
					{Queue: *rung("q.retry.1s", "q"), Generated: true},
				},
				Exchanges: []plan.WantExchange{{Exchange: direct("q.retry"), Generated: true}},
				Policies:  []plan.WantPolicy{{Policy: policyOf("q", args{"max-length": 1}), Target: plan.ID{Kind: plan.KindQueue, Vhost: "/", Name: "q"}}},
				Families:  []plan.Family{family},
			},
			have: all,
			plan: []string{`destructive: delete queue q.retry.5s`},
		},
		"all of it": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q")}}, Families: []plan.Family{family}},
			have: all,
			plan: []string{
				`disruptive: delete policy q.policy; definition.max-length "1" -> ""`,
				`destructive: delete queue q.dlq`,
				`destructive: delete queue q.retry.1s`,
				`destructive: delete queue q.retry.5s`,
				`disruptive: delete exchange q.retry`,
			},
		},
		"retained": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q")}}, Families: []plan.Family{keep}},
			have: all,
		},
		"what only looks like it": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q")}}, Families: []plan.Family{family}},
			have: []plan.Object{
				ptr(quorum("q")), ptr(quorum("q.dlq")), rung("q.retry.1s", "other"), rung("q.retry.soon", "q"),
				&plan.Exchange{Vhost: "/", Name: "q.retry", Type: "fanout"},
				&plan.Policy{Vhost: "/", Name: "q.policy", Pattern: "^p", ApplyTo: "queues"},
			},
		},
		"a retry exchange that others use stays": {
			want: plan.Desired{Queues: []plan.WantQueue{{Queue: quorum("q")}}, Families: []plan.Family{family}},
			have: []plan.Object{ptr(quorum("q")), ptr(quorum("other")), ptr(direct("q.retry")), ptr(from("q.retry", "other", "x"))},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := plan.Diff(tc.want, observed(t, tc.have))
			if diff := cmp.Diff(tc.plan, lines(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, s := range got.Steps {
				if s.ID.Kind == plan.KindQueue && !s.OnlyIfEmpty {
					t.Errorf("%s does not look whether it is empty", s.Key)
				}
			}
		})
	}
}
