package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"parley.sh/services/topology/api/v1alpha1"
)

// fields are the paths of the problems, without repeats.
func fields(list []v1alpha1.Problem) []string {
	var out []string
	for _, p := range list {
		if p.Rule == "" {
			out = append(out, p.Field+" (no rule)")
		}
		if len(out) == 0 || out[len(out)-1] != p.Field {
			out = append(out, p.Field)
		}
	}
	return out
}

type problemTest struct {
	// spec is what stands under spec beside brokerRef, as YAML.
	spec string
	want []string
}

func checkProblems(t *testing.T, kind string, tests map[string]problemTest) {
	t.Helper()
	broker := map[string]string{v1alpha1.KindTopic: "Kafka"}[kind]
	if broker == "" {
		broker = "RabbitmqCluster"
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "metadata: {name: thing}\nspec:\n  brokerRef: {kind: " + broker + ", name: b}\n" + tc.spec
			object := map[string]v1alpha1.Object{
				v1alpha1.KindTopic: &v1alpha1.Topic{}, v1alpha1.KindQueue: &v1alpha1.Queue{}, v1alpha1.KindExchange: &v1alpha1.Exchange{},
			}[kind]
			if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
				t.Fatalf("decode: %v", err)
			}
			if diff := cmp.Diff(tc.want, fields(object.Problems()), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, object.Problems())
			}
		})
	}
}

func TestTopicProblems(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	checkProblems(t, v1alpha1.KindTopic, map[string]problemTest{
		"least":                       {"", nil},
		"everything":                  {"  name: A.b_c-1\n  partitions: 10000\n  replicas: 3\n  config: {min.insync.replicas: \"3\"}\n  unmanagedConfig: [flush.ms]\n  configPolicy: Exclusive\n  allowRepartition: true\n  deadLetter: {groups: [a, b]}\n  deletionPolicy: Delete\n  adoptionPolicy: Never\n  driftPolicy: Report\n  suspend: true", nil},
		"hostile name":                {`  name: "../../etc"`, []string{"spec.name"}},
		"a dot":                       {`  name: "."`, []string{"spec.name"}},
		"unicode name":                {`  name: "Bestellungen-ü"`, []string{"spec.name"}},
		"control characters":          {`  name: "a\u001b[31mb"`, []string{"spec.name"}},
		"long name":                   {"  name: " + long, []string{"spec.name"}},
		"no partitions":               {"  partitions: 0", []string{"spec.partitions"}},
		"10,001 partitions":           {"  partitions: 10001", []string{"spec.partitions"}},
		"no replicas":                 {"  replicas: 0", []string{"spec.replicas"}},
		"more in sync than there are": {"  replicas: 2\n  config: {min.insync.replicas: \" 3\"}", []string{"spec.config[min.insync.replicas]"}},
		"64 KiB of config":            {"  config: {flush.ms: " + strings.Repeat("x", 64<<10) + "}", []string{"spec.config[flush.ms]"}},
		"hostile key":                 {`  config: {"a b": "1"}`, []string{"spec.config[a b]"}},
		"hostile value":               {`  config: {flush.ms: "1\n2"}`, []string{"spec.config[flush.ms]"}},
		"managed and not":             {`  config: {flush.ms: "1"}` + "\n  unmanagedConfig: [flush.ms]", []string{"spec.config[flush.ms]"}},
		"unmanaged twice":             {"  unmanagedConfig: [a, a, \"\"]", []string{"spec.unmanagedConfig[1]", "spec.unmanagedConfig[2]"}},
		"no groups":                   {"  deadLetter: {groups: []}", []string{"spec.deadLetter.groups"}},
		"hostile group":               {`  deadLetter: {groups: ["a b"]}`, []string{"spec.deadLetter.groups[0]"}},
		"group twice":                 {`  deadLetter: {groups: [a, a]}`, []string{"spec.deadLetter.groups[1]"}},
		"dead-letter name is long":    {"  name: " + long[:240] + "\n  deadLetter: {groups: [orders]}", []string{"spec.deadLetter.groups[0]"}},
		"wrong policies":              {"  deletionPolicy: Never\n  adoptionPolicy: Always\n  driftPolicy: Fix\n  configPolicy: Some", []string{"spec.deletionPolicy", "spec.adoptionPolicy", "spec.driftPolicy", "spec.configPolicy"}},
	})
}

func TestQueueProblems(t *testing.T) {
	t.Parallel()
	checkProblems(t, v1alpha1.KindQueue, map[string]problemTest{
		"least":                    {"", nil},
		"everything":               {"  name: Übung/../1\n  vhost: shop\n  singleActiveConsumer: true\n  messageTTL: 10m\n  maxLength: 0\n  maxBytes: 1Gi\n  overflow: reject-publish\n  deliveryLimit: -1\n  arguments: {x-max-priority: 3, x-leader: here}\n  bindings: [{exchange: e, routingKeys: [a, \"\"]}, {exchange: f, arguments: {x-match: all}}]\n  unmanagedExchanges: [g]\n  retry: {delays: [999ms, 1s, 1m, 1h]}\n  deadLetter: {}\n  replacePolicy: IfEmpty", nil},
		"reserved name":            {"  name: amq.gen-1", []string{"spec.name"}},
		"control characters":       {`  name: "a\nb"`, []string{"spec.name"}},
		"name leaves no room":      {"  name: " + strings.Repeat("ü", 125) + "\n  deadLetter: {}\n  retry: {delays: [1000ms]}", []string{"spec.name"}},
		"name of 249 bytes":        {"  name: " + strings.Repeat("x", 249), []string{"spec.name"}},
		"unknown type":             {"  type: lazy", []string{"spec.type"}},
		"a quorum queue stays":     {"  durable: false\n  autoDelete: true", []string{"spec.durable", "spec.autoDelete"}},
		"a classic queue need not": {"  type: classic\n  durable: false\n  autoDelete: true", nil},
		"a stream has none of it": {
			"  type: stream\n  messageTTL: 1s\n  maxLength: 1\n  overflow: drop-head\n  deliveryLimit: 1\n  singleActiveConsumer: true\n  deadLetter: {}\n  retry: {delays: [1s]}",
			[]string{
				"spec.singleActiveConsumer", "spec.messageTTL", "spec.maxLength", "spec.overflow", "spec.deadLetter", "spec.retry",
				"spec.deliveryLimit", "spec.overflow",
			},
		},
		"a classic queue does not count": {"  type: classic\n  deliveryLimit: 3", []string{"spec.deliveryLimit"}},
		"limits below none":              {"  maxLength: -1\n  maxBytes: -1\n  deliveryLimit: -2\n  messageTTL: 0s", []string{"spec.messageTTL", "spec.maxLength", "spec.maxBytes", "spec.deliveryLimit"}},
		"limits above all":               {"  maxBytes: 9Ei\n  messageTTL: 1194h", []string{"spec.messageTTL", "spec.maxBytes"}},
		"half a byte":                    {"  maxBytes: 500m", []string{"spec.maxBytes"}},
		"drop-head beside dead letters":  {"  overflow: drop-head\n  deadLetter: {}", []string{"spec.overflow"}},
		"settings without a policy":      {"  policy: None\n  messageTTL: 1s\n  maxLength: 1\n  maxBytes: 1\n  overflow: drop-head\n  deliveryLimit: 5", []string{"spec.messageTTL", "spec.maxLength", "spec.maxBytes", "spec.overflow", "spec.deliveryLimit"}},
		"both argument and field": {
			"  messageTTL: 1s\n  deadLetter: {}\n  arguments: {x-message-ttl: 1, x-overflow: a, x-dead-letter-exchange: b, x-queue-type: c}",
			[]string{"spec.arguments[x-dead-letter-exchange]", "spec.arguments[x-message-ttl]", "spec.arguments[x-overflow]", "spec.arguments[x-queue-type]"},
		},
		"arguments alone are fine":      {"  arguments: {x-message-ttl: 1, x-overflow: drop-head}", nil},
		"retry without dead letter":     {"  retry: {delays: [1s]}", []string{"spec.deadLetter"}},
		"no delays":                     {"  deadLetter: {}\n  retry: {delays: []}", []string{"spec.retry.delays"}},
		"delays fall":                   {"  deadLetter: {}\n  retry: {delays: [5s, 1s]}", []string{"spec.retry.delays[1]"}},
		"delays repeat":                 {"  deadLetter: {}\n  retry: {delays: [60s, 1m]}", []string{"spec.retry.delays[1]"}},
		"delays are no delays":          {"  deadLetter: {}\n  retry: {delays: [01s, 1d, 1.5s, \"-1s\", \"\", 99999999999999999999h]}", []string{"spec.retry.delays[0]", "spec.retry.delays[1]", "spec.retry.delays[2]", "spec.retry.delays[3]", "spec.retry.delays[4]", "spec.retry.delays[5]"}},
		"no exchange":                   {"  bindings: [{exchange: \"\"}]", []string{"spec.bindings[0].exchange"}},
		"a binding twice":               {"  bindings: [{exchange: e, routingKeys: [a]}, {exchange: e, routingKeys: [b, a]}]", []string{"spec.bindings[1].routingKeys"}},
		"the same with other arguments": {"  bindings: [{exchange: e}, {exchange: e, arguments: {x: 1}}, {exchange: e, arguments: {x: \"1\"}}]", nil},
		"long key":                      {"  bindings: [{exchange: e, routingKeys: [" + strings.Repeat("k", 256) + "]}]", []string{"spec.bindings[0].routingKeys[0]"}},
		"managed and not":               {"  bindings: [{exchange: e}]\n  unmanagedExchanges: [e]", []string{"spec.bindings[0].exchange"}},
		"wrong policies":                {"  policy: Maybe\n  replacePolicy: Migrate\n  overflow: none", []string{"spec.overflow", "spec.policy", "spec.replacePolicy"}},
	})
}

func TestExchangeProblems(t *testing.T) {
	t.Parallel()
	checkProblems(t, v1alpha1.KindExchange, map[string]problemTest{
		"least":                   {"", nil},
		"everything":              {"  name: E\n  vhost: shop\n  type: x-delayed-message\n  durable: false\n  autoDelete: true\n  internal: true\n  alternateExchange: amq.fanout\n  arguments: {x-delayed-type: direct}\n  bindings: [{exchange: f}]", nil},
		"unknown type":            {"  type: Topic", []string{"spec.type"}},
		"reserved name":           {"  name: amq.topic", []string{"spec.name"}},
		"passes to itself":        {"  alternateExchange: thing", []string{"spec.alternateExchange"}},
		"both argument and field": {"  arguments: {alternate-exchange: x}", []string{"spec.arguments[alternate-exchange]"}},
		"hostile vhost":           {`  vhost: "a\u0000"`, []string{"spec.vhost"}},
	})
}

func TestReferenceProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ref  v1alpha1.BrokerRef
		want []string
	}{
		"a cluster":         {v1alpha1.BrokerRef{Kind: "Kafka", Name: "a.b", Namespace: "shop", Listener: "tls"}, nil},
		"an address":        {v1alpha1.BrokerRef{Kind: "Broker", Name: "b"}, nil},
		"nothing":           {v1alpha1.BrokerRef{}, []string{"spec.brokerRef.kind", "spec.brokerRef.name"}},
		"the other broker":  {v1alpha1.BrokerRef{Kind: "RabbitmqCluster", Name: "b"}, []string{"spec.brokerRef.kind"}},
		"hostile":           {v1alpha1.BrokerRef{Kind: "Kafka", Name: "../b", Namespace: "A"}, []string{"spec.brokerRef.name", "spec.brokerRef.namespace"}},
		"listener of a URL": {v1alpha1.BrokerRef{Kind: "Broker", Name: "b", Listener: "x"}, []string{"spec.brokerRef.listener"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := &v1alpha1.Topic{Spec: v1alpha1.TopicSpec{BrokerRef: tc.ref}}
			topic.Name = "thing"
			if diff := cmp.Diff(tc.want, fields(topic.Problems()), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	nameless := &v1alpha1.Exchange{Spec: v1alpha1.ExchangeSpec{BrokerRef: v1alpha1.BrokerRef{Kind: "Broker", Name: "b"}}}
	nameless.Namespace = "A B"
	if diff := cmp.Diff([]string{"metadata.name", "metadata.namespace"}, fields(nameless.Problems())); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}
