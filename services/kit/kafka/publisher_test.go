package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// patience bounds everything that a test waits for.
const patience = 60 * time.Second

func withPatience(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// eventually polls until condition holds.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// TestRefusedByBroker: of messages that share a batch only those are refused that
// the broker would refuse alone, also where they come from several callers.
func TestRefusedByBroker(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, 1, map[string]string{"max.message.bytes": "4000", "compression.type": "uncompressed"})
	p := testPublisher(t, testConfig(brokers))
	ctx := withPatience(t)
	if err := p.Publish(ctx, testMessage(topic, "key")); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for caller := range 8 {
		wait.Go(func() {
			messages := make([]message.Message, 9)
			for i := range messages {
				messages[i] = testMessage(topic, fmt.Sprintf("key-%d", caller))
				messages[i].Data = incompressible(400)
			}
			messages[4].Data = incompressible(8000)
			for i, err := range message.Results(p.Publish(ctx, messages...), len(messages)) {
				if i == 4 && !fault.Is(err, fault.Invalid) {
					t.Errorf("oversized message: %v, want Invalid", err)
				}
				if i != 4 && err != nil {
					t.Errorf("message %d beside an oversized one: %v", i, err)
				}
			}
		})
	}
	wait.Wait()
	if n := len(records(t, brokers, topic)); n != 8*8+1 {
		t.Errorf("the topic holds %d messages, want %d", n, 8*8+1)
	}
}

// incompressible returns n bytes of JSON that lz4 cannot make smaller.
func incompressible(n int) []byte {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x", rand.Uint64())
	}
	return []byte(`"` + b.String()[:n-2] + `"`)
}

func TestUnknownTopic(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	name := servertest.Name(t)
	p := testPublisher(t, testConfig(brokers))
	if err := p.Publish(withPatience(t), testMessage(name, "key")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("err = %v, want Unavailable: the topic may come", err)
	}
	makeTopic(t, brokers, name, 1, nil)
	m := testMessage(name, "key")
	eventually(t, "the new topic to take messages", func() bool {
		return p.Publish(withPatience(t), m) == nil
	})
}

// TestPublishOrder: messages of one key keep their order, and one key keeps to one
// partition.
func TestPublishOrder(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, 5, nil)
	p := testPublisher(t, testConfig(brokers))
	var wait sync.WaitGroup
	for key := range 10 {
		wait.Go(func() {
			for range 10 {
				messages := make([]message.Message, 20)
				for i := range messages {
					messages[i] = testMessage(topic, fmt.Sprintf("key-%d", key))
				}
				if err := p.Publish(withPatience(t), messages...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	last, partition := map[string]string{}, map[string]int32{}
	for _, r := range records(t, brokers, topic) {
		m, err := decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if at, seen := partition[m.Key]; seen && at != r.Partition {
			t.Errorf("%s is in the partitions %d and %d", m.Key, at, r.Partition)
		}
		if last[m.Key] >= m.ID {
			t.Errorf("%s: %s after %s", m.Key, m.ID, last[m.Key])
		}
		last[m.Key], partition[m.Key] = m.ID, r.Partition
	}
}

// TestNoServer: a publisher starts without a server, says so, fails in time and
// ends at once.
func TestNoServer(t *testing.T) {
	t.Parallel()
	p := NewPublisher(testConfig([]string{"127.0.0.1:1"}), testOptions(t))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	results := message.Results(p.Publish(ctx, testMessage("Things", "key"), testMessage("", "key")), 2)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a publish without a server took %s", took)
	}
	if !fault.Is(results[0], fault.Unavailable) || !fault.Is(results[1], fault.Invalid) {
		t.Errorf("results %v, want Unavailable and Invalid", results)
	}
	if p.Err() == nil {
		t.Error("Err says that all is well")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Publish(t.Context(), testMessage("Things", "key")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("publish after Close: %v, want Unavailable", err)
	}
}

func TestNeverStarted(t *testing.T) {
	t.Parallel()
	if err := NewPublisher(Config{}, Options{}).Close(); err != nil {
		t.Error(err)
	}
}

// TestPublisherRun: Run connects without being asked to publish, and ends with ctx.
func TestPublisherRun(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t)
	p := NewPublisher(testConfig(cluster.ListenAddrs()), testOptions(t))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	eventually(t, "the publisher to connect", func() bool { return p.Err() == nil })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestBrokerGoneAndBack: what cannot be sent fails as Unavailable in time, and
// publishing goes on by itself when the broker is back.
func TestBrokerGoneAndBack(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(2, "Things"))
	p := testPublisher(t, testConfig(cluster.ListenAddrs()))
	if err := p.Publish(withPatience(t), testMessage("Things", "key")); err != nil {
		t.Fatal(err)
	}
	g.cut()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := p.Publish(ctx, testMessage("Things", "key")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("err = %v, want Unavailable", err)
	}
	eventually(t, "Err to tell", func() bool { return p.Err() != nil })
	g.restore()
	eventually(t, "publishing to go on", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return p.Publish(ctx, testMessage("Things", "key")) == nil
	})
	if err := p.Err(); err != nil {
		t.Errorf("Err = %v after recovery", err)
	}
}

// TestHalfOpenPublish: a connection that swallows everything is given up after
// RequestTimeout.
func TestHalfOpenPublish(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	cfg.RequestTimeout = time.Second
	p := testPublisher(t, cfg)
	if err := p.Publish(withPatience(t), testMessage("Things", "key")); err != nil {
		t.Fatal(err)
	}
	g.freeze()
	start := time.Now()
	if err := p.Publish(withPatience(t), testMessage("Things", "key")); err != nil {
		t.Fatalf("after %s: %v", time.Since(start), err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("recovering from a half-open connection took %s", took)
	}
}

// TestAnswerLost: a batch whose answer was lost is sent again and is in the
// log once.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	p := testPublisher(t, testConfig(cluster.ListenAddrs()))
	if err := p.Publish(withPatience(t), testMessage("Things", "key")); err != nil {
		t.Fatal(err)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 3})
	messages := make([]message.Message, 50)
	for i := range messages {
		messages[i] = testMessage("Things", "key")
	}
	if err := p.Publish(withPatience(t), messages...); err != nil {
		t.Fatal(err)
	}
	if n := len(records(t, cluster.ListenAddrs(), "Things")); n != len(messages)+1 {
		t.Errorf("the topic holds %d messages, want %d", n, len(messages)+1)
	}
}
