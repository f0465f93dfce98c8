package kafka

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"parley.sh/hack/local/server"
	"parley.sh/services/kit/message"
)

// TestKafkaKilled kills a real broker with SIGKILL under load and starts it again.
// Callers who repeat what was not confirmed, one message of a key at a time, lose
// nothing; a key's messages first come in order; nobody has to help.
func TestKafkaKilled(t *testing.T) {
	if os.Getenv("REQUIRE_BROKERS") != "1" {
		t.Skip("set REQUIRE_BROKERS=1 to install and start servers")
	}
	t.Parallel()
	const keys, each = 20, 150
	broker := ownKafka(t)
	makeTopic(t, broker.Brokers(), "Things", 3, nil)
	cfg := testConfig(broker.Brokers())
	p := testPublisher(t, cfg)
	order := &firstOrder{last: map[string]string{}, seen: map[string]bool{}}
	consumer := NewConsumer(cfg, things, order.handle, testOptions(t))
	run(t, consumer)
	var callers sync.WaitGroup
	for key := range keys {
		callers.Go(func() { persist(t, p, testMessages(fmt.Sprintf("key-%d", key), each)) })
	}
	eventually(t, "work to be done", func() bool { return order.count() > keys*each/4 })
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both clients to tell", func() bool { return p.Err() != nil && consumer.Err() != nil })
	if err := broker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	callers.Wait()
	t.Logf("all confirmed %s after the broker answered again", time.Since(back))
	eventually(t, "every message to be handled", func() bool { return order.count() == keys*each })
	t.Logf("all handled after %s", time.Since(back))
	for _, text := range order.violations() {
		t.Error(text)
	}
}

// ownKafka starts a broker for this test alone.
func ownKafka(t *testing.T) *server.Kafka {
	t.Helper()
	broker, err := server.NewKafka(server.KafkaOptions{Options: server.Options{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Kill(); err != nil {
			t.Errorf("kill the broker at the end: %v", err)
		}
	})
	if err := broker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return broker
}

// persist publishes one message after the other, each until it is confirmed.
func persist(t *testing.T, p *Publisher, messages []message.Message) {
	t.Helper()
	deadline := time.Now().Add(3 * patience)
	for _, m := range messages {
		for confirmed := false; !confirmed; {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			confirmed = p.Publish(ctx, m) == nil
			cancel()
			if time.Now().After(deadline) {
				t.Errorf("%s was not confirmed in time", m.ID)
				return
			}
		}
	}
}

// firstOrder notes the order in which messages come for the first time.
type firstOrder struct {
	mu     sync.Mutex
	last   map[string]string
	seen   map[string]bool
	broken []string
}

func (f *firstOrder) handle(_ context.Context, m message.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[m.ID] {
		return nil
	}
	f.seen[m.ID] = true
	if f.last[m.Key] >= m.ID {
		f.broken = append(f.broken, fmt.Sprintf("%s: %s came after %s", m.Key, m.ID, f.last[m.Key]))
	}
	f.last[m.Key] = m.ID
	return nil
}

func (f *firstOrder) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

func (f *firstOrder) violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}
