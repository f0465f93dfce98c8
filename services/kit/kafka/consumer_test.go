package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// things is the consumer of most tests.
var things = ConsumerConfig{Group: "group", Topics: []string{"Things"}}

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

func publish(tb testing.TB, p *Publisher, messages ...message.Message) {
	tb.Helper()
	if err := p.Publish(withPatience(tb), messages...); err != nil {
		tb.Fatal(err)
	}
}

func testMessages(key string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		messages[i] = testMessage("Things", key)
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
		return first.any() && second.any()
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
	handler := func(ctx context.Context, _ message.Message) error {
		select {
		case <-release:
			handled.Add(1)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	run(t, NewConsumer(cfg, ConsumerConfig{Group: topic, Topics: []string{topic}}, handler,
		Options{Log: testOptions(t).Log, Registerer: reg}))
	metrics := newConsumerMetrics(reg, topic)
	eventually(t, "the partition to be paused", func() bool { return testutil.ToFloat64(metrics.paused) == 1 })
	inFlight := metrics.held.WithLabelValues(topic, topic, "0")
	eventually(t, "the bound to be reached", func() bool { return testutil.ToFloat64(inFlight) >= 300 })
	<-time.After(2 * probeInterval) // what comes now would be too much
	const fetch = fetchBytes / 1000
	if n := testutil.ToFloat64(inFlight); n > 300+2*fetch {
		t.Errorf("%v messages in flight, bound 300 and what two fetches bring, %d", n, 2*fetch)
	}
	close(release)
	eventually(t, "everything to be handled", func() bool { return int(handled.Load()) == len(messages) })
	eventually(t, "the partition to be resumed", func() bool { return testutil.ToFloat64(metrics.paused) == 0 })
}

// run is testConsumer for a consumer that is made already.
func run(tb testing.TB, c *Consumer) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := c.Run(ctx); err != nil {
			tb.Errorf("run consumer: %v", err)
		}
	})
	stop = func() {
		cancel()
		wait.Wait()
	}
	tb.Cleanup(stop)
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
	bad := testMessages("bad", 3)
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

// TestTombstone: a record without a value is a message without data.
func TestTombstone(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	got := make(chan message.Message, 2)
	testConsumer(t, cfg, things, func(_ context.Context, m message.Message) error {
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
	testConsumer(t, cfg, things, func(ctx context.Context, _ message.Message) error {
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
	publish(t, testPublisher(t, cfg), testMessages("", 10)...)
	select {
	case <-all:
	case <-time.After(patience):
		t.Fatalf("%d of 10 messages are handled at once", inside.Load())
	}
}
