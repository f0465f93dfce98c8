package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// The keyed workload: one partition, messages that take 0 to 5 ms, of 20 keys.
const (
	keyedMessages = 10_000
	keyedKeys     = 20
)

// BenchmarkConsumeKeyed measures the keyed workload from the first message handled
// to the last, and sets it against a serial consumer of the same messages and the
// ideal, the largest sum of delays of one key: no consumer that keeps the order of a
// key can be faster.
func BenchmarkConsumeKeyed(b *testing.B) {
	brokers := servertest.Kafka(b)
	topic := testTopic(b, brokers, 1, nil)
	messages, delays := keyedWorkload(topic)
	p := testPublisher(b, testConfig(brokers))
	for from := 0; from < len(messages); from += 1000 {
		if err := p.Publish(b.Context(), messages[from:from+1000]...); err != nil {
			b.Fatal(err)
		}
	}
	serial, ideal := bounds(messages, delays)
	var took time.Duration
	rounds := 0
	for b.Loop() {
		took += consumeAll(b, brokers, topic, fmt.Sprintf("%s-%d", topic, rounds), delays)
		rounds++
	}
	one := took / time.Duration(rounds)
	b.ReportMetric(one.Seconds(), "s/run")
	b.ReportMetric(ideal.Seconds(), "ideal-s")
	b.ReportMetric(one.Seconds()/ideal.Seconds(), "of-ideal")
	b.ReportMetric(serial.Seconds()/one.Seconds(), "times-serial")
	b.ReportMetric(0, "ns/op")
}

func keyedWorkload(topic string) ([]message.Message, map[string]time.Duration) {
	random := rand.New(rand.NewPCG(1, 2))
	messages := make([]message.Message, keyedMessages)
	delays := make(map[string]time.Duration, keyedMessages)
	for i := range messages {
		messages[i] = testMessage(topic, fmt.Sprintf("key-%d", random.IntN(keyedKeys)))
		delays[messages[i].ID] = time.Duration(random.Int64N(int64(5 * time.Millisecond)))
	}
	return messages, delays
}

func bounds(messages []message.Message, delays map[string]time.Duration) (serial, ideal time.Duration) {
	byKey := map[string]time.Duration{}
	for _, m := range messages {
		serial += delays[m.ID]
		byKey[m.Key] += delays[m.ID]
		ideal = max(ideal, byKey[m.Key])
	}
	return serial, ideal
}

func consumeAll(b *testing.B, brokers []string, topic, group string, delays map[string]time.Duration) time.Duration {
	b.Helper()
	var handled atomic.Int64
	var began atomic.Pointer[time.Time]
	done := make(chan time.Duration, 1)
	stop := testConsumer(b, testConfig(brokers), ConsumerConfig{Group: group, Topics: []string{topic}},
		func(_ context.Context, m message.Message) error {
			now := time.Now()
			began.CompareAndSwap(nil, &now)
			time.Sleep(delays[m.ID])
			if handled.Add(1) == int64(len(delays)) {
				done <- time.Since(*began.Load())
			}
			return nil
		})
	defer stop()
	select {
	case took := <-done:
		return took
	case <-time.After(time.Minute):
		b.Fatalf("%d of %d messages were handled in a minute", handled.Load(), len(delays))
		return 0
	}
}
