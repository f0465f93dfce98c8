package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// seen counts what a handler saw.
type seen struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *seen) handle(_ context.Context, m message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[m.ID]++
	return nil
}

func (s *seen) all(messages ...message.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		if s.count[m.ID] == 0 {
			return false
		}
	}
	return true
}

func publish(t testing.TB, p *Publisher, messages ...message.Message) {
	t.Helper()
	if err := p.Publish(withPatience(t), messages...); err != nil {
		t.Fatal(err)
	}
}

func testMessages(topic, key string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		messages[i] = testMessage(topic, key)
	}
	return messages
}

// spread returns messages of n keys, which reach every partition.
func spread(topic string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		messages[i] = testMessage(topic, fmt.Sprintf("key-%d", i))
	}
	return messages
}

// TestRemovedReplica: the partitions of a member that leaves in order are consumed
// again within ten seconds.
func TestRemovedReplica(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, 6, nil)
	p := testPublisher(t, testConfig(brokers))
	var first, second seen
	c := ConsumerConfig{Group: topic, Topics: []string{topic}}
	testConsumer(t, testConfig(brokers), c, first.handle)
	stop := testConsumer(t, testConfig(brokers), c, second.handle)
	eventually(t, "both members to have partitions", func() bool {
		publish(t, p, spread(topic, 20)...)
		return len(first.count) > 0 && second.any()
	})
	stop()
	left := time.Now()
	after := spread(topic, 100)
	publish(t, p, after...)
	eventually(t, "the other member to take over", func() bool { return first.all(after...) })
	if took := time.Since(left); took > 10*time.Second {
		t.Errorf("taking over took %s", took)
	}
}

func (s *seen) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.count) > 0
}

// TestBoundedMemory: while a handler is stuck the consumer reads up to its bounds,
// stops, and goes on when the handler does.
func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, 1, nil)
	p := testPublisher(t, testConfig(brokers))
	messages := spread(topic, 3000)
	for i := range messages {
		messages[i].Data = incompressible(1000)
	}
	for batch := range slices.Chunk(messages, 20) { // so that no batch is larger than a fetch
		publish(t, p, batch...)
	}
	cfg := testConfig(brokers)
	cfg.MaxInFlight, cfg.Workers = 300, 4
	reg := prometheus.NewRegistry()
	release := make(chan struct{})
	var handled atomic.Int32
	run(t, NewConsumer(cfg, ConsumerConfig{Group: topic, Topics: []string{topic}}, func(ctx context.Context, _ message.Message) error {
		select {
		case <-release:
			handled.Add(1)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}, Options{Log: testOptions(t).Log, Registerer: reg}))
	metrics := newConsumerMetrics(reg, topic)
	eventually(t, "the partition to be paused", func() bool { return testutil.ToFloat64(metrics.paused) == 1 })
	inFlight := metrics.held.WithLabelValues(topic, topic, "0")
	eventually(t, "the bound to be reached", func() bool { return testutil.ToFloat64(inFlight) >= 300 })
	time.Sleep(2 * probeInterval) // what comes now would be too much
	const fetch = fetchBytes / 1000
	if n := testutil.ToFloat64(inFlight); n > 300+2*fetch {
		t.Errorf("%v messages in flight, bound 300 and what two fetches bring, %d", n, 2*fetch)
	}
	close(release)
	eventually(t, "everything to be handled", func() bool { return int(handled.Load()) == len(messages) })
	eventually(t, "the partition to be resumed", func() bool { return testutil.ToFloat64(metrics.paused) == 0 })
}

// run is testConsumer for a consumer that is made already.
func run(t testing.TB, c *Consumer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("run consumer: %v", err)
		}
	})
	stop = func() {
		cancel()
		wait.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// TestFailingKey: a key that fails for ever raises an alert and holds back its own
// messages only.
func TestFailingKey(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	cfg.Workers = 2
	p := testPublisher(t, cfg)
	reg := prometheus.NewRegistry()
	var good seen
	var healed atomic.Bool
	c := ConsumerConfig{Group: "group", Topics: []string{"Things"}, MaxAttempts: 3}
	run(t, NewConsumer(cfg, c, func(ctx context.Context, m message.Message) error {
		if m.Key == "bad" && !healed.Load() {
			return fault.New(fault.Internal, "boom")
		}
		return good.handle(ctx, m)
	}, Options{Log: testOptions(t).Log, Registerer: reg}))
	bad := testMessages("Things", "bad", 3)
	publish(t, p, bad...)
	stuck := newConsumerMetrics(reg, "group").stuck.WithLabelValues("group", "Things")
	eventually(t, "the alert", func() bool { return testutil.ToFloat64(stuck) == 1 })
	others := spread("Things", 500)
	publish(t, p, others...)
	eventually(t, "the other keys", func() bool { return good.all(others...) })
	if good.all(bad[1]) {
		t.Error("a message overtook one of its key")
	}
	healed.Store(true)
	eventually(t, "the key to go on", func() bool { return good.all(bad...) })
	eventually(t, "the alert to end", func() bool { return testutil.ToFloat64(stuck) == 0 })
}

// TestNoDeadLetterTopic: a message that cannot be set aside holds its key until it
// can.
func TestNoDeadLetterTopic(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	p := testPublisher(t, cfg)
	var good seen
	var tries atomic.Int32
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, func(ctx context.Context, m message.Message) error {
		if m.Key == "bad" && tries.Add(1) == 1 {
			return fault.New(fault.Invalid, "bad")
		}
		return good.handle(ctx, m)
	})
	bad, other := testMessages("Things", "bad", 2), testMessage("Things", "other")
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
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, (&seen{}).handle)
	sendRaw(t, cfg.Brokers, "Things", map[string]string{"strange": "kept", message.DeadReason: "an older one"}, []byte("garbage"))
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

// TestTombstone: a record without a value is a message without data.
func TestTombstone(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	got := make(chan message.Message, 2)
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, func(_ context.Context, m message.Message) error {
		got <- m
		return nil
	})
	none, empty := testMessage("Things", "key"), testMessage("Things", "key")
	none.Data, empty.Data = nil, []byte{}
	publish(t, testPublisher(t, cfg), none, empty)
	for i, wantNil := range []bool{true, false} {
		select {
		case m := <-got:
			if (m.Data == nil) != wantNil || len(m.Data) != 0 {
				t.Errorf("message %d has the data %q, nil: %t", i, m.Data, m.Data == nil)
			}
		case <-time.After(patience):
			t.Fatal("not delivered in time")
		}
	}
}

// TestWithoutKey: messages without a key wait for no other.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var inside atomic.Int32
	all := make(chan struct{})
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, func(ctx context.Context, _ message.Message) error {
		if inside.Add(1) == 10 {
			close(all)
		}
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	publish(t, testPublisher(t, cfg), testMessages("Things", "", 10)...)
	select {
	case <-all:
	case <-time.After(patience):
		t.Fatalf("%d of 10 messages are handled at once", inside.Load())
	}
}

// TestConsumerBrokerGone: consuming goes on by itself when the broker is back, and
// Err tells meanwhile.
func TestConsumerBrokerGone(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(2, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var got seen
	p := testPublisher(t, cfg)
	consumer := NewConsumer(cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, got.handle, testOptions(t))
	run(t, consumer)
	before := spread("Things", 20)
	publish(t, p, before...)
	eventually(t, "consuming", func() bool { return got.all(before...) })
	g.cut()
	eventually(t, "Err to tell", func() bool { return consumer.Err() != nil })
	g.restore()
	after := spread("Things", 20)
	eventually(t, "publishing to go on", func() bool { return p.Publish(withPatience(t), after...) == nil })
	eventually(t, "consuming to go on", func() bool { return got.all(after...) })
	eventually(t, "Err to be nil", func() bool { return consumer.Err() == nil })
}

// TestHalfOpenConsume: connections that swallow everything are given up, and
// consuming goes on.
func TestHalfOpenConsume(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(2, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	cfg.RequestTimeout, cfg.RebalanceTimeout = time.Second, time.Second
	var got seen
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, got.handle)
	p := testPublisher(t, cfg)
	before := spread("Things", 20)
	publish(t, p, before...)
	eventually(t, "consuming", func() bool { return got.all(before...) })
	g.freeze()
	after := spread("Things", 20)
	eventually(t, "publishing to go on", func() bool { return p.Publish(withPatience(t), after...) == nil })
	eventually(t, "consuming to go on", func() bool { return got.all(after...) })
}

// TestConsumerWithoutServer: a consumer starts without a server, says so, and ends
// at once.
func TestConsumerWithoutServer(t *testing.T) {
	t.Parallel()
	consumer := NewConsumer(testConfig([]string{"127.0.0.1:1"}), ConsumerConfig{Group: "group", Topics: []string{"Things"}},
		(&seen{}).handle, testOptions(t))
	stop := run(t, consumer)
	eventually(t, "Err to name the cause", func() bool {
		return consumer.Err() != nil && strings.Contains(consumer.Err().Error(), "refused")
	})
	start := time.Now()
	stop()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("ending without a server took %s", took)
	}
}

// TestCannotWork: a configuration that can never work ends Run.
func TestCannotWork(t *testing.T) {
	t.Parallel()
	cfg := testConfig([]string{"127.0.0.1:1"})
	cfg.CAFile = "/nowhere"
	c := NewConsumer(cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, (&seen{}).handle, testOptions(t))
	if err := c.Run(t.Context()); err == nil {
		t.Error("Run goes on without the certificates it needs")
	}
}

// TestFenced: a member that the group has put out joins again.
func TestFenced(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var got seen
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}}, got.handle)
	p := testPublisher(t, cfg)
	first := testMessage("Things", "key")
	publish(t, p, first)
	eventually(t, "consuming", func() bool { return got.all(first) })
	hits := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: 1})
	second := testMessage("Things", "key")
	publish(t, p, second)
	eventually(t, "the commit to be refused", func() bool { return hits.Hits() > 0 })
	third := testMessage("Things", "key")
	publish(t, p, third)
	eventually(t, "consuming to go on", func() bool { return got.all(second, third) })
}
