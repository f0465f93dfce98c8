package kafka_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/broker/kafka"
	"parley.sh/services/topology/internal/plan"
)

func session(t *testing.T) *kafka.Session {
	t.Helper()
	a, err := address.Parse("kafka://" + strings.Join(servertest.Kafka(t), ","))
	if err != nil {
		t.Fatal(err)
	}
	s, err := kafka.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// cleared deletes the topics when the test ends.
func cleared(t *testing.T, names ...string) {
	t.Helper()
	t.Cleanup(func() {
		c := sarama.NewConfig()
		c.Version = sarama.V2_8_0_0
		admin, err := sarama.NewClusterAdmin(servertest.Kafka(t), c)
		if err != nil {
			t.Logf("clear: %v", err)
			return
		}
		defer admin.Close()
		for _, name := range names {
			_ = admin.DeleteTopic(name)
		}
	})
}

func apply(t *testing.T, want plan.Desired, risk plan.Risk) []string {
	t.Helper()
	results, err := broker.Apply(t.Context(), session(t), want, broker.Options{MaxRisk: risk})
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	var out []string
	for _, r := range results {
		line := fmt.Sprintf("%s %s", r.Step.Key, r.Outcome)
		if r.Err != nil {
			t.Log(line, r.Err)
		}
		out = append(out, line)
	}
	return out
}

func TestTopicsComeAndChange(t *testing.T) {
	t.Parallel()
	name := servertest.Name(t)
	dead := name + ".g.dlq"
	cleared(t, name, dead)
	topic := plan.WantTopic{Topic: plan.Topic{
		Name: name, Partitions: 2, Config: map[string]string{"retention.ms": "060000", "cleanup.policy": "delete,compact", "min.cleanable.dirty.ratio": "0.30"},
	}}
	want := plan.Desired{Topics: []plan.WantTopic{topic, {Topic: plan.Topic{Name: dead}, Parent: name}}}
	steps := []struct {
		name   string
		change func(*plan.WantTopic)
		risk   plan.Risk
		want   []string
	}{
		{"made", func(*plan.WantTopic) {}, plan.Safe, []string{"create topic " + name + " done", "create topic " + dead + " done"}},
		{"the same by other words", func(w *plan.WantTopic) {
			w.Config = map[string]string{"retention.ms": "60000", "cleanup.policy": " compact, delete", "min.cleanable.dirty.ratio": "3e-1"}
		}, plan.Safe, nil},
		{"kept longer", func(w *plan.WantTopic) { w.Config = map[string]string{"retention.ms": "-1"} }, plan.Safe, []string{"update topic " + name + " done"}},
		{"kept shorter", func(w *plan.WantTopic) { w.Config = map[string]string{"retention.ms": "1000"} }, plan.Safe, []string{"update topic " + name + " held"}},
		{"compacted does not grow", func(w *plan.WantTopic) { w.Config, w.Partitions = nil, 3 }, plan.Destructive, []string{"grow topic " + name + " blocked", "grow topic " + dead + " done"}},
		{"grows by consent", func(w *plan.WantTopic) { w.AllowRepartition = true }, plan.Disruptive, []string{"grow topic " + name + " done"}},
		{"never shrinks", func(w *plan.WantTopic) { w.Partitions = 1 }, plan.Destructive, []string{"grow topic " + name + " blocked"}},
		{"exclusive", func(w *plan.WantTopic) { w.Partitions, w.Exclusive, w.Unmanaged = 0, true, []string{"cleanup.policy"} }, plan.Destructive, []string{"update topic " + name + " done"}},
		{"larger records", func(w *plan.WantTopic) { w.Config = map[string]string{"max.message.bytes": "3000000"} }, plan.Safe, []string{"update topic " + name + " done", "update topic " + dead + " done"}},
		{"replicas are not touched", func(w *plan.WantTopic) { w.Replicas = 7 }, plan.Destructive, []string{"update topic " + name + " blocked"}},
	}
	for _, step := range steps {
		step.change(&want.Topics[0])
		if diff := cmp.Diff(step.want, apply(t, want, step.risk)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	have, err := session(t).Observe(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	got, dlq := have.Topics[name], have.Topics[dead]
	retention := got.Config["retention.ms"]
	if got.Partitions != 3 || got.ID == "" || retention.Own || retention.Default == "" || retention.Type != plan.TypeInt ||
		!got.Config["cleanup.policy"].Own || dlq.Config["max.message.bytes"].Value != "3065536" || dlq.Partitions != 3 {
		t.Errorf("it ends as %d partitions, %+v; dead-letter %d, %+v", got.Partitions, retention, dlq.Partitions, dlq.Config["max.message.bytes"])
	}
	if have.Defaults.MaxMessageBytes == 0 || have.Defaults.Partitions == 0 {
		t.Errorf("defaults %+v", have.Defaults)
	}
}

// Each refused topic says why and holds back no other, and nothing is tried that
// the broker would refuse.
func TestRefusedTopics(t *testing.T) {
	t.Parallel()
	name := servertest.Name(t)
	cleared(t, name, name+".a")
	bad := map[string]plan.Topic{
		"collides on . and _": {Name: name + "_a"},
		"no such key":         {Name: name + "-key", Config: map[string]string{"no.such.key": "1"}},
		"no such value":       {Name: name + "-value", Config: map[string]string{"retention.ms": "long"}},
		"64 KiB of config":    {Name: name + "-fat", Config: map[string]string{"retention.ms": strings.Repeat("9", 64<<10)}},
		"hostile value":       {Name: name + "-hostile", Config: map[string]string{"cleanup.policy": "\x1b[31m\u202e"}},
		"too many replicas":   {Name: name + "-replicas", Replicas: 99},
		"hostile name":        {Name: name + "/../../etc"},
		"10,001 partitions":   {Name: name + "-partitions", Partitions: 10001},
	}
	good := plan.WantTopic{Topic: plan.Topic{Name: name, Partitions: 1}}
	apply(t, plan.Desired{Topics: []plan.WantTopic{{Topic: plan.Topic{Name: name + ".a", Partitions: 1}}}}, plan.Safe)
	want := plan.Desired{Topics: []plan.WantTopic{good}}
	for _, topic := range bad {
		want.Topics = append(want.Topics, plan.WantTopic{Topic: topic})
	}
	results, err := broker.Apply(t.Context(), session(t), want, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	outcome := map[string]broker.Result{}
	for _, r := range results {
		outcome[r.Step.ID.Name] = r
	}
	if outcome[name].Outcome != broker.Done {
		t.Errorf("the good one is %s: %v", outcome[name].Outcome, outcome[name].Err)
	}
	for why, topic := range bad {
		if r := outcome[topic.Name]; r.Outcome != broker.Refused || !fault.Is(r.Err, fault.Invalid) {
			t.Errorf("%s: %s, %v", why, r.Outcome, r.Err)
		}
	}
}

// A controller refuses more than 10,000 partitions in one request: a hundred topics
// of 120 go all the same, packed.
func TestManyPartitionsArePacked(t *testing.T) {
	t.Parallel()
	name := servertest.Name(t)
	want := plan.Desired{}
	for i := range 100 {
		want.Topics = append(want.Topics, plan.WantTopic{Topic: plan.Topic{Name: fmt.Sprintf("%s-%d", name, i), Partitions: 120}})
	}
	steps := plan.Diff(want, plan.Observed{}).Steps
	errs := session(t).Check(t.Context(), steps)
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Errorf("%s: %v", steps[i].Key, errs[i])
	}
}

func TestNoKafkaThere(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	s, err := kafka.Open(address.Address{Protocol: address.Kafka, Hosts: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := plan.Desired{Topics: []plan.WantTopic{{Topic: plan.Topic{Name: "t"}}}}
	if _, err := s.Observe(t.Context(), want); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), addr) {
		t.Errorf("observe: %v", err)
	}
	steps := plan.Diff(want, plan.Observed{}).Steps
	if err := s.Execute(t.Context(), steps)[0]; !fault.Is(err, fault.Unavailable) {
		t.Errorf("execute: %v", err)
	}
}
