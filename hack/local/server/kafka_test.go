package server_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/IBM/sarama"

	"parley.sh/hack/local/server"
)

func TestKafka(t *testing.T) {
	requireServers(t)
	t.Parallel()
	k, err := server.NewKafka(server.KafkaOptions{Options: options(t)})
	must(t, "make", err)
	testLife(t, k, func(context.Context) error { return produce(k) }, func(context.Context) error { return consume(k) })
}

const (
	topic    = "survivor"
	messages = 10
)

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_1_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	return c
}

func produce(k *server.Kafka) error {
	admin, err := sarama.NewClusterAdmin(k.Brokers(), config())
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }()
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		return err
	}
	producer, err := sarama.NewSyncProducer(k.Brokers(), config())
	if err != nil {
		return err
	}
	defer func() { _ = producer.Close() }()
	for n := range messages {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(name(n))})
		if err != nil {
			return err
		}
	}
	return nil
}

func consume(k *server.Kafka) error {
	consumer, err := sarama.NewConsumer(k.Brokers(), config())
	if err != nil {
		return err
	}
	defer func() { _ = consumer.Close() }()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	defer func() { _ = partition.Close() }()
	for n := range messages {
		if got := string((<-partition.Messages()).Value); got != name(n) {
			return fmt.Errorf("message %d is %q", n, got)
		}
	}
	return nil
}
