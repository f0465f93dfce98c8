package kafka

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/message/messagetest"
	"parley.sh/services/kit/servertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	brokers := servertest.Kafka(t)
	messagetest.Run(t, messagetest.Harness{
		Ordered: true,
		Place: func(t *testing.T) messagetest.Place {
			t.Helper()
			return testPlace(t, brokers)
		},
	})
}

func testPlace(t *testing.T, brokers []string) messagetest.Place {
	t.Helper()
	const group = "group"
	topic := testTopic(t, brokers, 3, nil)
	makeTopic(t, brokers, DeadLetterTopic(topic, topic+group), 1, nil)
	return messagetest.Place{
		To:        message.Address{Broker: message.Kafka, Name: topic},
		Publisher: testPublisher(t, testConfig(brokers)),
		Send: func(t *testing.T, headers map[string]string, data []byte) {
			t.Helper()
			sendRaw(t, brokers, topic, headers, data)
		},
		Consume: func(t *testing.T, c messagetest.Consumer) func() {
			t.Helper()
			return testConsumer(t, testConfig(brokers), ConsumerConfig{
				Group: topic + group, Topics: []string{topic}, GiveUp: c.GiveUp, MaxAttempts: messagetest.Attempts,
			}, c.Handler)
		},
		DeadLetters: func(t *testing.T) []messagetest.DeadLetter {
			t.Helper()
			return deadLetters(t, brokers, DeadLetterTopic(topic, topic+group))
		},
	}
}

// testConsumer runs a consumer until the test, or the function it returns, ends it.
func testConsumer(tb testing.TB, cfg Config, c ConsumerConfig, h message.Handler) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	consumer := NewConsumer(cfg, c, h, testOptions(tb))
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := consumer.Run(ctx); err != nil {
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

func sendRaw(tb testing.TB, brokers []string, topic string, headers map[string]string, data []byte) {
	tb.Helper()
	s := sarama.NewConfig()
	s.Version = version
	s.MetricRegistry = noMetrics{}
	s.Producer.Return.Successes = true
	p, err := sarama.NewSyncProducer(brokers, s)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	record := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("raw"), Value: sarama.ByteEncoder(data)}
	for name, value := range headers {
		record.Headers = append(record.Headers, header(name, value))
	}
	if _, _, err := p.SendMessage(record); err != nil {
		tb.Fatal(err)
	}
}

func deadLetters(t *testing.T, brokers []string, topic string) []messagetest.DeadLetter {
	t.Helper()
	var letters []messagetest.DeadLetter
	for _, r := range records(t, brokers, topic) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[string(h.Key)] = string(h.Value)
		}
		attempts, err := strconv.Atoi(headers[message.DeadAttempts])
		if err != nil {
			t.Errorf("header %s: %v", message.DeadAttempts, err)
		}
		letters = append(letters, messagetest.DeadLetter{
			ID: headers[message.KafkaPrefix+"id"], Data: r.Value,
			Reason: headers[message.DeadReason], Kind: headers[message.DeadKind], Attempts: attempts,
		})
	}
	return letters
}
