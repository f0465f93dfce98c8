package spec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
	"parley.sh/services/topology/internal/spec"
)

func documents(t *testing.T, text string) []manifest.Document {
	t.Helper()
	out, problems := manifest.Decode("f.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatalf("decode: %v", problems)
	}
	return out
}

const head = "apiVersion: messaging.parley.sh/v1alpha1\n"

const queueYAML = head + `kind: Queue
metadata: {name: orders}
spec:
  brokerRef: {kind: RabbitmqCluster, name: r}
  name: Orders
  messageTTL: 10m
  maxBytes: 1Ki
  singleActiveConsumer: true
  arguments: {x-max-priority: 3}
  bindings: [{exchange: E, routingKeys: [a, b]}]
  unmanagedExchanges: [F]
  retry: {delays: [1s, 2m]}
  deadLetter: {}
  replacePolicy: IfEmpty
  deletionPolicy: Retain
`

// A queue stands for exactly this: consumers, rights and dashboards rely on each
// name and setting.
func TestQueue(t *testing.T) {
	t.Parallel()
	type args = map[string]any
	owner := plan.Owner{Name: "Queue orders"}
	rung := func(delay string, ms int64) plan.WantQueue {
		return plan.WantQueue{
			Queue: plan.Queue{Vhost: "v", Name: "Orders.retry." + delay, Durable: true, Arguments: args{
				"x-queue-type": "quorum", "x-message-ttl": ms, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "Orders",
				"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
			}},
			Owner: owner, Replace: true, Generated: true,
		}
	}
	binding := func(source, queue, key string, generated bool) plan.WantBinding {
		return plan.WantBinding{
			Binding: plan.Binding{Vhost: "v", Source: source, Destination: queue, DestinationKind: plan.KindQueue, RoutingKey: key, Arguments: args{}},
			Owner:   owner, Generated: generated,
		}
	}
	policy := plan.ID{Kind: plan.KindPolicy, Vhost: "v", Name: "Orders.policy"}
	want := plan.Desired{
		Exchanges: []plan.WantExchange{{
			Exchange: plan.Exchange{Vhost: "v", Name: "Orders.retry", Type: "direct", Durable: true, Arguments: args{}}, Owner: owner, Generated: true,
		}},
		Queues: []plan.WantQueue{
			{
				Queue: plan.Queue{Vhost: "v", Name: "Orders.dlq", Durable: true, Arguments: args{"x-queue-type": "quorum", "x-delivery-limit": int64(-1)}},
				Owner: owner, Replace: true, Generated: true,
			},
			rung("1s", 1000), rung("2m", 120000),
			{
				Queue: plan.Queue{Vhost: "v", Name: "Orders", Durable: true, Arguments: args{
					"x-queue-type": "quorum", "x-single-active-consumer": true, "x-max-priority": int64(3),
				}},
				Owner: owner, Policy: policy, Replace: true, Unmanaged: []string{"F"},
			},
		},
		Policies: []plan.WantPolicy{{
			Policy: plan.Policy{
				Vhost: "v", Name: "Orders.policy", Pattern: "^Orders$", ApplyTo: "quorum_queues", Priority: 100, Definition: args{
					"message-ttl": int64(600000), "max-length-bytes": int64(1024), "delivery-limit": int64(50), "overflow": "reject-publish",
					"dead-letter-exchange": "Orders.retry", "dead-letter-routing-key": "dlq", "dead-letter-strategy": "at-least-once",
				},
			},
			Owner: owner, Target: plan.ID{Kind: plan.KindQueue, Vhost: "v", Name: "Orders"},
			Needs: []plan.ID{
				{Kind: plan.KindQueue, Vhost: "v", Name: "Orders.dlq"},
				{Kind: plan.KindBinding, Vhost: "v", Name: "Orders.retry -> queue Orders.dlq [dlq]"},
				{Kind: plan.KindExchange, Vhost: "v", Name: "Orders.retry"},
			},
		}},
		Bindings: []plan.WantBinding{
			binding("Orders.retry", "Orders.dlq", "dlq", true), binding("Orders.retry", "Orders.retry.1s", "1s", true),
			binding("Orders.retry", "Orders.retry.2m", "2m", true), binding("E", "Orders", "a", false), binding("E", "Orders", "b", false),
		},
		Families: []plan.Family{{
			Vhost: "v", Owner: owner, Queue: "Orders", Keep: true, RetryExchange: "Orders.retry", DeadLetter: "Orders.dlq",
			Policy: "Orders.policy", RungPrefix: "Orders.retry.", Pattern: "^Orders$",
		}},
	}
	got, problems := spec.Compile(documents(t, queueYAML), "v")
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

func TestPolicyDefinitions(t *testing.T) {
	t.Parallel()
	type args = map[string]any
	tests := map[string]struct {
		spec string
		want map[string]any
	}{
		"a limit is always stated":          {"", args{"delivery-limit": int64(-1)}},
		"a stated limit":                    {"  deliveryLimit: 7\n", args{"delivery-limit": int64(7)}},
		"a limit by argument comes first":   {"  arguments: {x-delivery-limit: 9}\n", nil},
		"a classic queue counts nothing":    {"  type: classic\n", nil},
		"a classic queue dead-letters once": {"  type: classic\n  deadLetter: {}\n", args{"overflow": "reject-publish", "dead-letter-exchange": "q.retry", "dead-letter-routing-key": "dlq"}},
		"a stream has bytes":                {"  type: stream\n  maxBytes: 1k\n", args{"max-length-bytes": int64(1000)}},
		"none":                              {"  policy: None\n  deadLetter: {}\n", nil},
		"length":                            {"  type: classic\n  maxLength: 0\n  overflow: drop-head\n", args{"max-length": int64(0), "overflow": "drop-head"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := spec.Compile(documents(t, head+"kind: Queue\nmetadata: {name: q}\nspec:\n  brokerRef: {kind: Broker, name: b}\n"+tc.spec), "/")
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var definition map[string]any
			for _, p := range got.Policies {
				definition = p.Definition
				if got.Queues[len(got.Queues)-1].Policy != p.ID() {
					t.Error("the queue does not wait for its policy")
				}
			}
			if diff := cmp.Diff(tc.want, definition); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTopic(t *testing.T) {
	t.Parallel()
	got, problems := spec.Compile(documents(t, head+`kind: Topic
metadata: {name: orders}
spec:
  brokerRef: {kind: Kafka, name: k}
  name: Orders
  partitions: 6
  replicas: 2
  config: {retention.ms: "1"}
  configPolicy: Exclusive
  unmanagedConfig: [flush.ms]
  allowRepartition: true
  deadLetter: {groups: [payment]}
  adoptionPolicy: Never
`), "")
	owner := plan.Owner{Name: "Topic orders", Untouchable: true}
	want := plan.Desired{Topics: []plan.WantTopic{
		{
			Topic: plan.Topic{Name: "Orders", Partitions: 6, Replicas: 2, Config: map[string]string{"retention.ms": "1"}},
			Owner: owner, Exclusive: true, Unmanaged: []string{"flush.ms"}, AllowRepartition: true,
		},
		{
			Topic: plan.Topic{Name: "Orders.payment.dlq", Replicas: 2, Config: map[string]string{"cleanup.policy": "delete", "retention.ms": "2592000000"}},
			Owner: owner, Parent: "Orders",
		},
	}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

func TestSuspendedAsksNothing(t *testing.T) {
	t.Parallel()
	got, problems := spec.Compile(documents(t, queueYAML+"  suspend: true\n"), "/")
	if diff := cmp.Diff(plan.Desired{}, got, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}

func TestTwoForOneObject(t *testing.T) {
	t.Parallel()
	thing := func(kind, name, broker, more string) string {
		return "---\n" + head + "kind: " + kind + "\nmetadata: {name: " + name + "}\nspec:\n  brokerRef: {kind: " + broker + ", name: b}\n" + more
	}
	tests := map[string]struct {
		text string
		want int
	}{
		"the same topic":           {thing("Topic", "a", "Kafka", "  name: T\n") + thing("Topic", "b", "Kafka", "  name: T\n"), 1},
		"names that collide":       {thing("Topic", "a", "Kafka", "  name: a.b\n") + thing("Topic", "b", "Kafka", "  name: a_b\n"), 1},
		"a dead-letter topic":      {thing("Topic", "a", "Kafka", "  name: T\n  deadLetter: {groups: [g]}\n") + thing("Topic", "b", "Kafka", "  name: T.g.dlq\n"), 1},
		"the same queue":           {thing("Queue", "a", "Broker", "  name: Q\n") + thing("Queue", "b", "Broker", "  name: Q\n"), 1},
		"another vhost is another": {thing("Queue", "a", "Broker", "  name: Q\n") + thing("Queue", "b", "Broker", "  name: Q\n  vhost: w\n"), 0},
		"the vhost of the address": {thing("Queue", "a", "Broker", "  name: Q\n") + thing("Queue", "b", "Broker", "  name: Q\n  vhost: v\n"), 1},
		"a rung":                   {thing("Queue", "a", "Broker", "  name: Q\n  deadLetter: {}\n  retry: {delays: [1s]}\n") + thing("Queue", "b", "Broker", "  name: Q.retry.1s\n"), 1},
		"a retry exchange":         {thing("Queue", "a", "Broker", "  name: Q\n  deadLetter: {}\n") + thing("Exchange", "b", "Broker", "  name: Q.retry\n"), 1},
		"a suspended one":          {thing("Queue", "a", "Broker", "  name: Q\n  suspend: true\n") + thing("Queue", "b", "Broker", "  name: Q\n"), 1},
		"a queue and an exchange":  {thing("Queue", "a", "Broker", "  name: Q\n") + thing("Exchange", "a", "Broker", "  name: Q\n  alternateExchange: x\n"), 0},
		"a policy by its name":     {thing("Queue", "a", "Broker", "  name: Q.exchange\n") + thing("Exchange", "a", "Broker", "  name: Q\n  alternateExchange: x\n"), 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := spec.Compile(documents(t, tc.text), "v")
			if len(problems) != tc.want {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	got, problems := spec.Compile(documents(t, head+`kind: Exchange
metadata: {name: e.x}
spec:
  brokerRef: {kind: RabbitmqCluster, name: r}
  type: topic
  alternateExchange: amq.fanout
  bindings: [{exchange: f, arguments: {x-match: all, size: 1}}]
`), "/")
	owner := plan.Owner{Name: "Exchange e.x"}
	type args = map[string]any
	id := plan.ID{Kind: plan.KindExchange, Vhost: "/", Name: "e.x"}
	want := plan.Desired{
		Exchanges: []plan.WantExchange{{
			Exchange: plan.Exchange{Vhost: "/", Name: "e.x", Type: "topic", Durable: true, Arguments: args{}}, Owner: owner,
			Policy: plan.ID{Kind: plan.KindPolicy, Vhost: "/", Name: "e.x.exchange.policy"},
		}},
		Policies: []plan.WantPolicy{{
			Policy: plan.Policy{
				Vhost: "/", Name: "e.x.exchange.policy", Pattern: `^e\.x$`, ApplyTo: "exchanges", Priority: 100,
				Definition: args{"alternate-exchange": "amq.fanout"},
			},
			Owner: owner, Target: id,
		}},
		Bindings: []plan.WantBinding{{
			Binding: plan.Binding{Vhost: "/", Source: "f", Destination: "e.x", DestinationKind: plan.KindExchange, Arguments: args{"x-match": "all", "size": int64(1)}},
			Owner:   owner,
		}},
		Families: []plan.Family{{Vhost: "/", Owner: owner, Exchange: "e.x", Policy: "e.x.exchange.policy", Pattern: `^e\.x$`}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, diff)
	}
}
