package kafka

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// caughtUp remembers the latest moment at which each partition was caught up.
type caughtUp struct {
	mu sync.Mutex
	at map[int32]time.Time
}

func (c *caughtUp) tell(_ string, partition int32, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[int32]time.Time{}
	}
	c.at[partition] = at
}

func (c *caughtUp) since(partition int32, moment time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[partition].After(moment)
}

// TestCaughtUp: told while every message is finished, at least once a second, and
// never of a moment at which one was not or the broker did not answer.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	cluster, g := gatedCluster(t, kfake.SeedTopics(2, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	var c caughtUp
	entered, release := make(chan struct{}, 1), make(chan struct{})
	testConsumer(t, cfg, ConsumerConfig{Group: "group", Topics: []string{"Things"}, CaughtUp: c.tell},
		func(ctx context.Context, m message.Message) error {
			entered <- struct{}{}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	start := time.Now()
	eventually(t, "empty partitions to be caught up", func() bool { return c.since(0, start) && c.since(1, start) })
	m := testMessage("Things", "key")
	publish(t, testPublisher(t, cfg), m)
	published := time.Now()
	<-entered
	at := records(t, cfg.Brokers, "Things")[0].Partition
	eventually(t, "the other partition to stay caught up", func() bool {
		return c.since(1-at, published.Add(time.Second))
	})
	if c.since(at, published) {
		t.Error("caught up with an unfinished message")
	}
	close(release)
	eventually(t, "the partition to be caught up", func() bool { return c.since(at, published) })
	g.cut()
	cut := time.Now()
	<-time.After(3 * probeInterval) // nothing may come now
	if c.since(0, cut) || c.since(1, cut) {
		t.Error("caught up with a broker that does not answer")
	}
	g.restore()
	eventually(t, "catching up again", func() bool { return c.since(0, cut) && c.since(1, cut) })
}

// TestGapAtTheEnd: markers of transactions and aborted records take offsets that
// bring no message; a partition that ends with them is caught up and committed.
func TestGapAtTheEnd(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	topic := testTopic(t, brokers, 1, nil)
	transact(t, brokers, topic, true, 3)
	transact(t, brokers, topic, false, 4)
	var c caughtUp
	var got seen
	start := time.Now()
	testConsumer(t, testConfig(brokers),
		ConsumerConfig{Group: topic, Topics: []string{topic}, CaughtUp: c.tell}, got.handle)
	eventually(t, "the end", func() bool { return c.since(0, start) })
	got.mu.Lock()
	if len(got.count) != 3 {
		t.Errorf("%d messages were handled, want the 3 committed ones", len(got.count))
	}
	got.mu.Unlock()
	const end = 3 + 1 + 4 + 1
	eventually(t, "the end to be committed", func() bool { return committed(t, brokers, topic, topic, 0) == end })
	transact(t, brokers, topic, true, 2)
	eventually(t, "messages after the gap", func() bool {
		got.mu.Lock()
		defer got.mu.Unlock()
		return len(got.count) == 5
	})
}

// transact publishes in one transaction, which it commits or aborts.
func transact(t *testing.T, brokers []string, topic string, commit bool, n int) {
	t.Helper()
	s := sarama.NewConfig()
	s.Version = version
	s.MetricRegistry = noMetrics{}
	s.Producer.Idempotent, s.Producer.RequiredAcks, s.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	s.Producer.Return.Successes = true
	s.Producer.Transaction.ID = servertest.Name(t)
	p, err := sarama.NewSyncProducer(brokers, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.BeginTxn(); err != nil {
		t.Fatal(err)
	}
	for range n {
		m := testMessage(topic, "key")
		if _, _, err := p.SendMessage(rawRecord(&m)); err != nil {
			t.Fatal(err)
		}
	}
	end := p.AbortTxn
	if commit {
		end = p.CommitTxn
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// committed returns the offset that a group has committed, -1 for none.
func committed(tb testing.TB, brokers []string, group, topic string, partition int32) int64 {
	tb.Helper()
	offset := int64(-1)
	withAdmin(tb, brokers, func(admin sarama.ClusterAdmin) error {
		response, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {partition}})
		if err != nil {
			return err
		}
		if block := response.GetBlock(topic, partition); block != nil {
			offset = block.Offset
		}
		return nil
	})
	return offset
}

// visibleCase is a fetched block, where reading stands, and where the next message is.
type visibleCase struct {
	block sarama.FetchResponseBlock
	from  int64
	want  int64
}

func TestFirstVisible(t *testing.T) {
	t.Parallel()
	for name, tc := range visibleCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := firstVisible(&tc.block, tc.from); got != tc.want {
				t.Errorf("firstVisible = %d, want %d", got, tc.want)
			}
		})
	}
}

func visibleCases() map[string]visibleCase {
	block := func(batches ...*sarama.Records) sarama.FetchResponseBlock {
		return sarama.FetchResponseBlock{RecordsSet: batches}
	}
	aborted := func(b sarama.FetchResponseBlock, firsts ...int64) sarama.FetchResponseBlock {
		for _, first := range firsts {
			b.AbortedTransactions = append(b.AbortedTransactions, &sarama.AbortedTransaction{ProducerID: 1, FirstOffset: first})
		}
		return b
	}
	return map[string]visibleCase{
		"nothing":          {from: 7, want: 7},
		"a message":        {block(fetched(5, 9, 1, "plain", 5, 6, 7, 8, 9)), 7, 7},
		"after a gap":      {block(fetched(5, 9, 1, "plain", 5, 9)), 7, 9},
		"an emptied batch": {block(fetched(5, 9, 1, "plain")), 7, 10},
		"a marker":         {block(fetched(7, 7, 1, "marker", 7)), 7, 8},
		"aborted, then a marker": {
			aborted(block(fetched(7, 8, 1, "txn", 7, 8), fetched(9, 9, 1, "marker", 9)), 7), 7, 10,
		},
		"aborted, then committed by the same producer": {aborted(block(
			fetched(7, 8, 1, "txn", 7, 8), fetched(9, 9, 1, "marker", 9), fetched(10, 11, 1, "txn", 10, 11),
		), 7), 7, 10},
		"two aborted, one committed between them": {aborted(block(
			fetched(7, 7, 1, "txn", 7), fetched(8, 8, 1, "marker", 8), fetched(9, 9, 1, "txn", 9),
			fetched(10, 10, 1, "marker", 10), fetched(12, 12, 1, "txn", 12),
		), 12, 7), 7, 9},
		"another producer's among the aborted": {
			aborted(block(fetched(7, 7, 1, "txn", 7), fetched(8, 8, 2, "txn", 8)), 7), 7, 8,
		},
	}
}

// fetched makes a batch of a producer with messages at the given offsets.
func fetched(first, last, producer int64, kind string, at ...int64) *sarama.Records {
	b := &sarama.RecordBatch{
		FirstOffset: first, LastOffsetDelta: int32(last - first), ProducerID: producer, //nolint:gosec // small
		Control: kind == "marker", IsTransactional: kind != "plain",
	}
	for _, offset := range at {
		b.Records = append(b.Records, &sarama.Record{OffsetDelta: offset - first})
	}
	return &sarama.Records{RecordBatch: b}
}

// TestLost: a partition whose committed offset is gone stays unread under an alert,
// the others go on, and it is read again from where an operator says.
func TestLost(t *testing.T) {
	t.Parallel()
	cluster := fakeCluster(t, kfake.SeedTopics(2, "Things"))
	cfg := testConfig(cluster.ListenAddrs())
	p := testPublisher(t, cfg)
	var before seen
	c := things
	stop := testConsumer(t, cfg, c, before.handle)
	first := spread("Things", 40)
	publish(t, p, first...)
	eventually(t, "consuming", func() bool { return before.all(first...) })
	stop()
	publish(t, p, spread("Things", 40)...)
	if err := cluster.DeleteRecords("Things", 0, cluster.PartitionInfo("Things", 0).HighWatermark); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	var after seen
	stop = run(t, NewConsumer(cfg, c, after.handle, Options{Log: testOptions(t).Log, Registerer: reg}))
	alert := newConsumerMetrics(reg, "group").lost.WithLabelValues("group", "Things", "0")
	eventually(t, "the alert", func() bool { return testutil.ToFloat64(alert) == 1 })
	eventually(t, "the other partition to go on", func() bool {
		publish(t, p, spread("Things", 5)...)
		return committed(t, cfg.Brokers, "group", "Things", 1) == cluster.PartitionInfo("Things", 1).HighWatermark
	})
	stop()
	oldest := cluster.PartitionInfo("Things", 0).LogStartOffset
	setOffset(t, cfg.Brokers, "Things", 0, oldest)
	testConsumer(t, cfg, c, after.handle)
	eventually(t, "the partition to be read again", func() bool {
		return committed(t, cfg.Brokers, "group", "Things", 0) == cluster.PartitionInfo("Things", 0).HighWatermark
	})
}

// setOffset is what an operator does.
func setOffset(t *testing.T, brokers []string, topic string, partition int32, offset int64) {
	t.Helper()
	to := map[string]map[int32]sarama.OffsetAndMetadata{topic: {partition: {Offset: offset}}}
	withAdmin(t, brokers, func(admin sarama.ClusterAdmin) error {
		_, err := admin.AlterConsumerGroupOffsets("group", to, nil)
		return err
	})
}
