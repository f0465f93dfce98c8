package kafka

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// testTopic makes a topic and removes it when t ends.
func testTopic(tb testing.TB, brokers []string, partitions int32, settings map[string]string) string {
	tb.Helper()
	name := servertest.Name(tb)
	makeTopic(tb, brokers, name, partitions, settings)
	return name
}

func makeTopic(tb testing.TB, brokers []string, name string, partitions int32, settings map[string]string) {
	tb.Helper()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for k, v := range settings {
		detail.ConfigEntries[k] = &v
	}
	withAdmin(tb, brokers, func(admin sarama.ClusterAdmin) error { return admin.CreateTopic(name, detail, false) })
	tb.Cleanup(func() {
		withAdmin(tb, brokers, func(admin sarama.ClusterAdmin) error { return admin.DeleteTopic(name) })
	})
}

func withAdmin(tb testing.TB, brokers []string, do func(sarama.ClusterAdmin) error) {
	tb.Helper()
	s := sarama.NewConfig()
	s.Version = version
	s.ClientID = "test"
	s.MetricRegistry = noMetrics{}
	admin, err := sarama.NewClusterAdmin(brokers, s)
	if err != nil {
		tb.Errorf("connect to %v: %v", brokers, err)
		return
	}
	defer func() { _ = admin.Close() }()
	if err := do(admin); err != nil {
		tb.Errorf("administer %v: %v", brokers, err)
	}
}

// fakeCluster is a Kafka of this process, for faults that a real one cannot be asked for.
func fakeCluster(tb testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cluster.Close)
	return cluster
}

func testConfig(brokers []string) Config {
	return Config{Brokers: brokers, ClientID: "test", RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond}
}

func testOptions(tb testing.TB) Options {
	tb.Helper()
	return Options{Log: slog.New(slog.NewTextHandler(tb.Output(), nil))}
}

func testPublisher(tb testing.TB, cfg Config) *Publisher {
	tb.Helper()
	p := NewPublisher(cfg, testOptions(tb))
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Errorf("close publisher: %v", err)
		}
	})
	return p
}

var sequence atomic.Int64

func testMessage(topic, key string) message.Message {
	n := sequence.Add(1)
	return message.Message{
		ID:      fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n),
		Type:    "ThingHappenedEvent",
		Source:  "test",
		Subject: key,
		Time:    time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Key:     key,
		To:      message.Address{Broker: message.Kafka, Name: topic},
		Data:    fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// records reads what a topic holds now, all partitions, in the order of each.
func records(tb testing.TB, brokers []string, topic string) []*sarama.ConsumerMessage {
	tb.Helper()
	silence(topic)
	s := sarama.NewConfig()
	s.Version = version
	s.MetricRegistry = noMetrics{}
	client, err := sarama.NewClient(brokers, s)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	reader, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	partitions, err := client.Partitions(topic)
	if err != nil {
		tb.Fatal(err)
	}
	var all []*sarama.ConsumerMessage
	for _, partition := range partitions {
		all = append(all, partitionRecords(tb, client, reader, topic, partition)...)
	}
	return all
}

func partitionRecords(
	tb testing.TB, client sarama.Client, reader sarama.Consumer, topic string, partition int32,
) []*sarama.ConsumerMessage {
	tb.Helper()
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		tb.Fatal(err)
	}
	if end == 0 {
		return nil
	}
	from, err := reader.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	var read []*sarama.ConsumerMessage
	for m := range from.Messages() {
		read = append(read, m)
		if m.Offset >= end-1 {
			break
		}
	}
	return read
}
