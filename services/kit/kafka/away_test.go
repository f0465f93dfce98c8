package kafka

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestConsumerBrokerGone: consuming goes on by itself when the broker is back, and
// Err tells meanwhile.
func TestConsumerBrokerGone(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(2, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var got seen
	p := testPublisher(t, cfg)
	consumer := NewConsumer(cfg, things, got.handle, testOptions(t))
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
	testConsumer(t, cfg, things, got.handle)
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
	consumer := NewConsumer(testConfig([]string{"127.0.0.1:1"}), things,
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
	here := testConfig([]string{"127.0.0.1:1"})
	noCertificates := here
	noCertificates.CAFile = "/nowhere"
	tests := map[string]struct {
		cfg Config
		c   ConsumerConfig
	}{
		"no certificates": {noCertificates, things},
		"no group":        {here, ConsumerConfig{Topics: []string{"Things"}}},
		"no topic":        {here, ConsumerConfig{Group: "group"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := NewConsumer(tc.cfg, tc.c, (&seen{}).handle, testOptions(t)).Run(t.Context()); err == nil {
				t.Error("Run ends without an error")
			}
		})
	}
}

// TestFenced: a member that the group has put out joins again.
func TestFenced(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var got seen
	testConsumer(t, cfg, things, got.handle)
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

// TestMembership: a dynamic member says goodbye, so that others take over at once; a
// static one keeps its partitions for its return.
func TestMembership(t *testing.T) {
	t.Parallel()
	for instance, goodbyes := range map[string]int32{"": 1, "instance-1": 0} {
		t.Run("instance "+instance, func(t *testing.T) {
			t.Parallel()
			cluster := fakeCluster(t, kfake.SeedTopics(1, "Things"))
			var left atomic.Int32
			cluster.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
				left.Add(1)
				return nil, nil, false
			})
			cfg := testConfig(cluster.ListenAddrs())
			cfg.InstanceID = instance
			var got seen
			stop := testConsumer(t, cfg, things, got.handle)
			m := testMessage("Things", "key")
			publish(t, testPublisher(t, cfg), m)
			eventually(t, "consuming", func() bool { return got.all(m) })
			stop()
			if left.Load() != goodbyes {
				t.Errorf("%d goodbyes, want %d", left.Load(), goodbyes)
			}
			if n := committed(t, cfg.Brokers, "group", "Things", 0); n != 1 {
				t.Errorf("committed %d after an orderly stop, want 1", n)
			}
		})
	}
}
