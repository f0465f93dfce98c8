package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// TestRebalance publishes while members of a group come, go, lose their session,
// and leaders and coordinators move, at random. Every commit that reaches the broker
// is checked on arrival: all before it must be finished. In the end all is finished
// and committed.
func TestRebalance(t *testing.T) {
	t.Parallel()
	const partitions, messages, members = 6, 3000, 3
	cluster := fakeCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(partitions, "Things"))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := &churn{
		t: t, cluster: cluster, random: rand.New(rand.NewPCG(seed, 0)),
		checker: newCommitChecker(cluster), stops: make([]func(), members),
	}
	c.publish(messages)
	for range 25 {
		c.step()
	}
	c.start(0)
	eventually(t, "every message to be finished and committed", func() bool {
		return c.checker.committedAll(messages)
	})
	for _, text := range c.checker.violations() {
		t.Error(text)
	}
}

// churn is what happens to a group.
type churn struct {
	t       *testing.T
	cluster *kfake.Cluster
	random  *rand.Rand
	checker *commitChecker
	stops   []func()
}

func (c *churn) publish(n int) {
	p := testPublisher(c.t, testConfig(c.cluster.ListenAddrs()))
	batch := make([]message.Message, n)
	for i := range batch {
		batch[i] = testMessage("Things", fmt.Sprintf("key-%d", i%97))
	}
	if err := p.Publish(withPatience(c.t), batch...); err != nil {
		c.t.Fatal(err)
	}
}

// step does one thing to the group and waits a little.
func (c *churn) step() {
	switch c.random.IntN(6) {
	case 0, 1:
		c.start(c.random.IntN(len(c.stops)))
	case 2:
		c.stop(c.random.IntN(len(c.stops)))
	case 3: // a member is put out without a word
		c.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID, Count: 1})
	case 4:
		c.cluster.ShufflePartitionLeaders()
	case 5:
		c.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress, Count: 2})
	}
	<-time.After(time.Duration(c.random.IntN(600)) * time.Millisecond)
}

func (c *churn) start(i int) {
	if c.stops[i] == nil {
		c.stops[i] = testConsumer(c.t, testConfig(c.cluster.ListenAddrs()),
			things, c.checker.handle)
	}
}

func (c *churn) stop(i int) {
	if c.stops[i] != nil {
		c.stops[i]()
		c.stops[i] = nil
	}
}

// commitChecker is a handler and sees every commit at the broker.
type commitChecker struct {
	mu        sync.Mutex
	done      map[int32]map[int64]bool
	prefix    map[int32]int64
	committed map[int32]int64
	broken    []string
}

func newCommitChecker(cluster *kfake.Cluster) *commitChecker {
	c := &commitChecker{done: map[int32]map[int64]bool{}, prefix: map[int32]int64{}, committed: map[int32]int64{}}
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if commit, ok := r.(*kmsg.OffsetCommitRequest); ok {
			c.check(commit)
		}
		return nil, nil, false
	})
	return c
}

// handle takes a while and fails now and then.
func (c *commitChecker) handle(ctx context.Context, m message.Message) error {
	select {
	case <-time.After(rand.N(8 * time.Millisecond)):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch rand.IntN(40) {
	case 0:
		return errors.New("boom")
	case 1:
		return fault.New(fault.Unavailable, "away")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := m.Delivery.Partition
	if c.done[p] == nil {
		c.done[p] = map[int64]bool{}
	}
	c.done[p][m.Delivery.Offset] = true
	for c.done[p][c.prefix[p]] {
		c.prefix[p]++
	}
	return nil
}

func (c *commitChecker) check(r *kmsg.OffsetCommitRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			if p.Offset > c.prefix[p.Partition] {
				c.broken = append(c.broken, fmt.Sprintf("partition %d: commit of %d passes the unfinished %d",
					p.Partition, p.Offset, c.prefix[p.Partition]))
			}
			c.committed[p.Partition] = p.Offset
		}
	}
}

func (c *commitChecker) committedAll(messages int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum int64
	for _, offset := range c.committed {
		sum += offset
	}
	return sum == messages
}

func (c *commitChecker) violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}
