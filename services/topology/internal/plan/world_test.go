package plan_test

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/broker/brokertest"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
	"parley.sh/services/topology/internal/spec"
)

// The worlds of the property tests are small, so that what is wanted and what is
// there meet often.

func sample[T any](label string, values ...T) func(*rapid.T) T {
	return func(t *rapid.T) T { return rapid.SampledFrom(values).Draw(t, label) }
}

func maybe(t *rapid.T, label string) bool { return rapid.Bool().Draw(t, label) }

func policies(t *rapid.T) v1alpha1.Lifecycle {
	return v1alpha1.Lifecycle{
		DeletionPolicy: sample("deletion", "", v1alpha1.Retain, v1alpha1.DeleteIfEmpty, v1alpha1.Delete)(t),
		AdoptionPolicy: sample("adoption", "", v1alpha1.Adopt, v1alpha1.IfEqual, v1alpha1.Never)(t),
		Suspend:        rapid.IntRange(0, 9).Draw(t, "suspend") == 0,
	}
}

var values = map[string][]v1alpha1.ConfigValue{
	"cleanup.policy":    {"delete", "compact", "compact,delete", "delete, compact"},
	"flush.ms":          {"9", "10"},
	"max.message.bytes": {"1000", "2000000"},
	"retention.ms":      {"1000", "01000", "-1", "5000"},
}

func topic(t *rapid.T, n int) *v1alpha1.Topic {
	o := &v1alpha1.Topic{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("topic-%d", n)}}
	o.Spec.BrokerRef = v1alpha1.BrokerRef{Kind: v1alpha1.BrokerKafka, Name: "k"}
	o.Spec.Lifecycle = policies(t)
	if maybe(t, "partitions given") {
		p := rapid.Int32Range(1, 4).Draw(t, "partitions")
		o.Spec.Partitions = &p
	}
	o.Spec.Config = map[string]v1alpha1.ConfigValue{}
	for _, key := range []string{"cleanup.policy", "flush.ms", "max.message.bytes", "retention.ms"} {
		if maybe(t, key) {
			o.Spec.Config[key] = rapid.SampledFrom(values[key]).Draw(t, key)
		}
	}
	o.Spec.ConfigPolicy = sample("config policy", v1alpha1.Listed, v1alpha1.Exclusive)(t)
	o.Spec.AllowRepartition = maybe(t, "repartition")
	if maybe(t, "dead letter") {
		o.Spec.DeadLetter = &v1alpha1.TopicDeadLetter{Groups: []v1alpha1.ConsumerGroup{"a"}}
	}
	return o
}

var delays = []v1alpha1.Duration{"1s", "5s", "2m"}

func queue(t *rapid.T, n int) *v1alpha1.Queue {
	o := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("queue-%d", n)}}
	s := &o.Spec
	s.BrokerRef = v1alpha1.BrokerRef{Kind: v1alpha1.BrokerRabbitMQ, Name: "r"}
	s.Lifecycle = policies(t)
	s.Type = sample("type", v1alpha1.Quorum, v1alpha1.Quorum, v1alpha1.Classic)(t)
	if maybe(t, "dead letter") {
		s.DeadLetter = &v1alpha1.QueueDeadLetter{}
		if from := rapid.IntRange(0, len(delays)).Draw(t, "rungs"); from < len(delays) {
			s.Retry = &v1alpha1.Retry{Delays: delays[from:]}
		}
	}
	s.Policy = sample("policy", v1alpha1.Generated, v1alpha1.Generated, v1alpha1.NoPolicy)(t)
	if maybe(t, "ttl") && s.Policy == v1alpha1.Generated {
		s.MessageTTL = sample("ttl", delays...)(t)
	}
	s.ReplacePolicy = sample("replace", v1alpha1.ReplaceNever, v1alpha1.ReplaceIfEmpty)(t)
	s.Bindings = bindings(t)
	if maybe(t, "unmanaged") && len(s.Bindings) == 0 {
		s.UnmanagedExchanges = []string{"exchange-0"}
	}
	return o
}

func bindings(t *rapid.T) []v1alpha1.Binding {
	var out []v1alpha1.Binding
	for i := range rapid.IntRange(0, 2).Draw(t, "bindings") {
		out = append(out, v1alpha1.Binding{
			Exchange:    fmt.Sprintf("exchange-%d", i),
			RoutingKeys: sample("keys", nil, []v1alpha1.RoutingKey{"a"}, []v1alpha1.RoutingKey{"a", "b"})(t),
		})
	}
	return out
}

func exchange(t *rapid.T, n int) *v1alpha1.Exchange {
	o := &v1alpha1.Exchange{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("exchange-%d", n)}}
	o.Spec.BrokerRef = v1alpha1.BrokerRef{Kind: v1alpha1.BrokerRabbitMQ, Name: "r"}
	o.Spec.Lifecycle = policies(t)
	o.Spec.Type = sample("type", "direct", "direct", "topic")(t)
	if maybe(t, "alternate") {
		o.Spec.AlternateExchange = "amq.fanout"
	}
	if n > 0 {
		o.Spec.Bindings = bindings(t)[:0]
	}
	return o
}

// drawManifests draws what somebody may write: some of two topics, three queues,
// two exchanges.
func drawManifests(t *rapid.T) []manifest.Document {
	var out []manifest.Document
	add := func(o v1alpha1.Object) {
		if len(o.Problems()) > 0 {
			t.Fatalf("the generator writes a wrong manifest: %+v", o.Problems())
		}
		out = append(out, manifest.Document{File: "test.yaml", Index: len(out) + 1, Object: o})
	}
	for n := range 2 {
		if maybe(t, "topic") {
			add(topic(t, n))
		}
		if maybe(t, "exchange") {
			add(exchange(t, n))
		}
	}
	for n := range 3 {
		if maybe(t, "queue") {
			add(queue(t, n))
		}
	}
	return out
}

func specCompile(documents []manifest.Document) (plan.Desired, []manifest.Problem) {
	return spec.Compile(documents, "/")
}

// drawWorld draws a broker: empty, without its vhost, or with what other manifests
// made of it, and what somebody did by hand since.
func drawWorld(t *rapid.T) *brokertest.World {
	w := &brokertest.World{Holds: plan.Observed{Vhosts: map[string]*plan.Vhost{"/": brokertest.Vhost()}}}
	if rapid.IntRange(0, 19).Draw(t, "no vhost") == 0 {
		w.Holds.Vhosts = nil
		return w
	}
	for range rapid.IntRange(0, 2).Draw(t, "histories") {
		want, _ := specCompile(drawManifests(t))
		carryOut(w, want, 1<<30)
		meddle(t, w)
	}
	return w
}

// meddle does by hand what people do.
func meddle(t *rapid.T, w *brokertest.World) {
	v := w.Holds.Vhosts["/"]
	if maybe(t, "foreign binding") {
		for _, name := range []string{"queue-0", "exchange-1"} {
			byHand(w, &plan.Binding{Vhost: "/", Source: "exchange-0", Destination: name, DestinationKind: plan.KindQueue, RoutingKey: "hand"})
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "foreign policy") == 0 {
		byHand(w, &plan.Policy{
			Vhost: "/", Name: "foreign", Pattern: sample("pattern", "^queue-0$", ".*", "dlq$")(t), ApplyTo: "all",
			Priority: sample("priority", int64(0), 100, 200)(t), Definition: map[string]any{"max-length": int64(5)},
		})
	}
	if maybe(t, "policy edited") {
		if p, ok := v.Policies["queue-1.policy"]; ok {
			p.Definition = map[string]any{"delivery-limit": int64(3)}
			byHand(w, &p)
		}
	}
	if maybe(t, "queue deleted") {
		q := plan.Queue{Vhost: "/", Name: sample("deleted", "queue-0", "queue-1.dlq", "queue-2.retry.5s")(t)}
		w.Execute(t.Context(), []plan.Step{{Key: plan.Key{Op: plan.Delete, ID: q.ID()}, Object: &q}})
	}
	if s, ok := w.Holds.Topics["topic-0"]; ok && maybe(t, "topic edited") {
		s.Config["flush.ms"] = plan.Setting{Value: "77", Type: plan.TypeInt, Own: true}
		s.Partitions++
	}
}

func byHand(w *brokertest.World, o plan.Object) {
	w.Execute(nil, []plan.Step{{Key: plan.Key{Op: plan.Create, ID: o.ID()}, Object: o}}) //nolint:staticcheck // memory looks at no context
}

// carryOut does the first n steps of the plan that can be done, one by one.
func carryOut(w *brokertest.World, want plan.Desired, n int) {
	p := plan.Diff(want, w.Holds)
	done := map[plan.Key]bool{}
	for i := range p.Steps {
		if s := p.Steps[i]; n > 0 && s.Risk < plan.Blocked && ready(s, done) {
			errs := w.Execute(nil, []plan.Step{s}) //nolint:staticcheck // memory looks at no context
			done[s.Key] = errs[0] == nil
			n--
		}
	}
}

func ready(s plan.Step, done map[plan.Key]bool) bool {
	for _, k := range s.After {
		if !done[k] {
			return false
		}
	}
	return true
}
