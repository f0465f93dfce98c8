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
func testTopic(t testing.TB, brokers []string, partitions int32, settings map[string]string) string {
	t.Helper()
	name := servertest.Name(t)
	makeTopic(t, brokers, name, partitions, settings)
	return name
}

func makeTopic(t testing.TB, brokers []string, name string, partitions int32, settings map[string]string) {
	t.Helper()
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for k, v := range settings {
		detail.ConfigEntries[k] = &v
	}
	withAdmin(t, brokers, func(admin sarama.ClusterAdmin) error { return admin.CreateTopic(name, detail, false) })
	t.Cleanup(func() {
		withAdmin(t, brokers, func(admin sarama.ClusterAdmin) error { return admin.DeleteTopic(name) })
	})
}

func withAdmin(t testing.TB, brokers []string, do func(sarama.ClusterAdmin) error) {
	t.Helper()
	s := sarama.NewConfig()
	s.Version = version
	s.ClientID = "test"
	s.MetricRegistry = noMetrics{}
	admin, err := sarama.NewClusterAdmin(brokers, s)
	if err != nil {
		t.Errorf("connect to %v: %v", brokers, err)
		return
	}
	defer func() { _ = admin.Close() }()
	if err := do(admin); err != nil {
		t.Errorf("administer %v: %v", brokers, err)
	}
}

// fakeCluster is a Kafka of this process, for faults that a real one cannot be asked for.
func fakeCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func testConfig(brokers []string) Config {
	return Config{Brokers: brokers, ClientID: "test", RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond}
}

func testOptions(t testing.TB) Options {
	return Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func testPublisher(t testing.TB, cfg Config) *Publisher {
	t.Helper()
	p := NewPublisher(cfg, testOptions(t))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close publisher: %v", err)
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
func records(t testing.TB, brokers []string, topic string) []*sarama.ConsumerMessage {
	t.Helper()
	silence(topic)
	s := sarama.NewConfig()
	s.Version = version
	s.MetricRegistry = noMetrics{}
	client, err := sarama.NewClient(brokers, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	reader, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	partitions, err := client.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	var all []*sarama.ConsumerMessage
	for _, partition := range partitions {
		all = append(all, partitionRecords(t, client, reader, topic, partition)...)
	}
	return all
}

func partitionRecords(
	t testing.TB, client sarama.Client, reader sarama.Consumer, topic string, partition int32,
) []*sarama.ConsumerMessage {
	t.Helper()
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		t.Fatal(err)
	}
	if end == 0 {
		return nil
	}
	from, err := reader.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
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
