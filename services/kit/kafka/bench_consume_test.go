package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
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
// key can be faster. of-ideal takes the delays as they were asked for, of-handled as
// the handlers took them.
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
	var took, handled time.Duration
	rounds := 0
	for b.Loop() {
		w := &keyedRun{
			delays: delays, done: make(chan time.Duration, 1),
			byKey: map[string]time.Duration{}, late: map[string]time.Duration{},
		}
		took += w.consume(b, brokers, topic, fmt.Sprintf("%s-%d", topic, rounds))
		handled += w.longest()
		rounds++
	}
	one := took / time.Duration(rounds)
	b.ReportMetric(one.Seconds(), "s/run")
	b.ReportMetric(ideal.Seconds(), "ideal-s")
	b.ReportMetric(one.Seconds()/ideal.Seconds(), "of-ideal")
	b.ReportMetric(took.Seconds()/handled.Seconds(), "of-handled")
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

// keyedRun is one run over the workload.
type keyedRun struct {
	delays map[string]time.Duration
	done   chan time.Duration

	mu      sync.Mutex
	began   time.Time
	handled int
	byKey   map[string]time.Duration
	// late is by how much the last handler of a key overslept.
	late map[string]time.Duration
}

func (k *keyedRun) consume(b *testing.B, brokers []string, topic, group string) time.Duration {
	b.Helper()
	cfg := testConfig(brokers)
	consumer := NewConsumer(cfg, ConsumerConfig{Group: group, Topics: []string{topic}}, k.handle, Options{})
	stop := run(b, consumer)
	defer stop()
	select {
	case took := <-k.done:
		return took
	case <-time.After(time.Minute):
		b.Fatal("the messages were not handled in a minute")
		return 0
	}
}

// handle takes the message's delay. Timers wake about half a millisecond late, so
// what a handler overslept the next of its key sleeps less: the delays of a key add
// up to what they should, and whatever the consumer adds between them still counts.
func (k *keyedRun) handle(_ context.Context, m message.Message) error {
	start := time.Now()
	k.mu.Lock()
	sleep := k.delays[m.ID] - k.late[m.Key]
	k.mu.Unlock()
	if sleep > 0 {
		<-time.After(sleep)
	}
	took := time.Since(start)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.late[m.Key] = took - sleep
	if k.handled == 0 || start.Before(k.began) {
		k.began = start
	}
	k.handled++
	k.byKey[m.Key] += took
	if k.handled == len(k.delays) {
		k.done <- time.Since(k.began)
	}
	return nil
}

// longest is what the handlers of one key took at most.
func (k *keyedRun) longest() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var longest time.Duration
	for _, took := range k.byKey {
		longest = max(longest, took)
	}
	return longest
}
