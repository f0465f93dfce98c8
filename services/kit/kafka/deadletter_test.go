package kafka

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// TestNoDeadLetterTopic: a message that cannot be set aside holds its key until it
// can.
func TestNoDeadLetterTopic(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	p := testPublisher(t, cfg)
	var good seen
	var tries atomic.Int32
	testConsumer(t, cfg, things, func(ctx context.Context, m message.Message) error {
		if m.Key == "bad" && tries.Add(1) == 1 {
			return fault.New(fault.Invalid, "bad")
		}
		return good.handle(ctx, m)
	})
	bad, other := testMessages("bad", 2), testMessage("Things", "other")
	publish(t, p, append(bad, other)...)
	eventually(t, "the other key", func() bool { return good.all(other) })
	if good.all(bad[1]) {
		t.Error("a message overtook one that is not set aside yet")
	}
	if err := cluster.CreateTopic(DeadLetterTopic("Things", "group"), 1, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key to go on", func() bool { return good.all(bad[1]) })
	letters := deadLetters(t, cluster.ListenAddrs(), DeadLetterTopic("Things", "group"))
	if len(letters) != 1 || letters[0].ID != bad[0].ID {
		t.Errorf("dead letters %v, want the one of %s", letters, bad[0].ID)
	}
}

// TestDeadLetterHeaders: a dead letter keeps its headers and says where it came from.
func TestDeadLetterHeaders(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things", DeadLetterTopic("Things", "group")))
	cfg := testConfig(cluster.ListenAddrs())
	testConsumer(t, cfg, things, (&seen{}).handle)
	headers := map[string]string{"strange": "kept", message.DeadReason: "an older one"}
	sendRaw(t, cfg.Brokers, "Things", headers, []byte("garbage"))
	var letters []*sarama.ConsumerMessage
	eventually(t, "the dead letter", func() bool {
		letters = records(t, cfg.Brokers, DeadLetterTopic("Things", "group"))
		return len(letters) == 1
	})
	got := map[string][]string{}
	for _, h := range letters[0].Headers {
		got[string(h.Key)] = append(got[string(h.Key)], string(h.Value))
	}
	want := map[string]string{
		"strange": "kept", message.DeadKind: "invalid", message.DeadPlace: "Things", message.DeadGroup: "group",
		message.DeadPartition: "0", message.DeadOffset: "0", message.DeadAttempts: "1",
		message.DeadReason: "header ce_id is required",
	}
	for name, value := range want {
		if len(got[name]) != 1 || got[name][0] != value {
			t.Errorf("header %s = %q, want %q once", name, got[name], value)
		}
	}
	if string(letters[0].Key) != "raw" || string(letters[0].Value) != "garbage" {
		t.Errorf("dead letter %q %q", letters[0].Key, letters[0].Value)
	}
}

// TestLargeDeadLetter: a message that fills the broker's limit by itself is set
// aside without its data.
func TestLargeDeadLetter(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	limit := map[string]string{"max.message.bytes": "5000", "compression.type": "uncompressed"}
	topic := testTopic(t, brokers, 1, limit)
	makeTopic(t, brokers, DeadLetterTopic(topic, "group"), 1, limit)
	var good seen
	testConsumer(t, testConfig(brokers), ConsumerConfig{Group: "group", Topics: []string{topic}}, good.handle)
	sendRaw(t, brokers, topic, nil, incompressible(4900))
	after := testMessage(topic, "raw")
	publish(t, testPublisher(t, testConfig(brokers)), after)
	eventually(t, "the key to go on", func() bool { return good.all(after) })
	letters := records(t, brokers, DeadLetterTopic(topic, "group"))
	if len(letters) != 1 || letters[0].Value != nil {
		t.Fatalf("%d dead letters, want one without data", len(letters))
	}
	last := letters[0].Headers[len(letters[0].Headers)-1]
	if string(last.Key) != message.DeadOmitted || string(last.Value) != "data" {
		t.Errorf("last header %s = %s", last.Key, last.Value)
	}
}
