package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/hack/audit/evidence"
	"parley.sh/hack/load/journal"
	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/rabbit"
)

// garbage is what can reach a topic or a queue from a sender that does not hold to
// the contract. Each is dead-lettered.
func garbage() map[string]map[string]string {
	headers := func(prefix, messageType string, at time.Time) map[string]string {
		return map[string]string{
			prefix + "id": newKey(), prefix + "source": "stranger", prefix + "type": messageType,
			prefix + "specversion": "1.0", prefix + "time": at.Format(time.RFC3339Nano), prefix + "subject": newKey(),
		}
	}
	all := map[string]map[string]string{}
	for _, prefix := range []string{"ce_", "cloudEvents_"} {
		missing := headers(prefix, "OrderPlacedEvent", time.Now())
		delete(missing, prefix+"id")
		all[prefix+" no headers"] = nil
		all[prefix+" a missing header"] = missing
		all[prefix+" an unknown type"] = headers(prefix, "SurpriseEvent", time.Now())
		all[prefix+" data of another shape"] = headers(prefix, "StockReservedEvent", time.Now())
	}
	return all
}

// TestGarbage puts garbage on every topic and queue. It is dead-lettered with a
// reason, nothing crashes, and orders flow.
func TestGarbage(t *testing.T) {
	path := filepath.Join(platform.dir, fmt.Sprintf("journal-%d.jsonl", platform.runs.Add(1)))
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	litterTopics(t, j)
	litterQueues(t, j)
	status, id := place(t, "order", good("garbage"), newKey())
	if status != 202 {
		t.Fatalf("POST beside garbage: %d", status)
	}
	eventually(t, "an order beside garbage to settle", func() bool { return get(t, id).Settled })
	eventually(t, "all garbage to be dead-lettered", func() bool {
		_, err := audit(t, journals(t)...)
		return err == nil
	})
	reasons(t)
}

// litter notes a piece of garbage before it is sent, for each place it will lie in,
// and returns the key to send it under.
func litter(t *testing.T, j *journal.Journal, places ...string) string {
	t.Helper()
	key := newKey()
	for _, place := range places {
		if err := j.Append(journal.Line{Kind: journal.Littering, At: time.Now(), Place: place, OrderID: key}); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

func litterTopics(t *testing.T, j *journal.Journal) {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	cfg.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(strings.Split(platform.KafkaBrokers(), ","), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close() }()
	for group, topics := range evidence.Groups() {
		for _, topic := range topics {
			if topic == contract.TopicOrders && group == contract.Payment {
				continue // both groups of Orders dead-letter the same garbage
			}
			for name, headers := range garbage() {
				if strings.HasPrefix(name, "cloudEvents_") {
					continue
				}
				places := []string{kafka.DeadLetterTopic(topic, group)}
				if topic == contract.TopicOrders {
					places = append(places, kafka.DeadLetterTopic(topic, contract.Payment))
				}
				sendTo(t, producer, topic, litter(t, j, places...), headers)
			}
		}
	}
}

func sendTo(t *testing.T, producer sarama.SyncProducer, topic, key string, headers map[string]string) {
	t.Helper()
	m := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(`{"not":"it"`)}
	for k, v := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(k), Value: []byte(v)})
	}
	if _, _, err := producer.SendMessage(m); err != nil {
		t.Fatal(err)
	}
}

func litterQueues(t *testing.T, j *journal.Journal) {
	t.Helper()
	onChannel(t, func(ch *amqp.Channel) {
		for queue, route := range map[string][2]string{
			contract.ExpressLabelQueue:  {contract.ShippingExchange, contract.LevelExpress},
			contract.StandardLabelQueue: {contract.ShippingExchange, contract.LevelStandard},
			contract.ShippingQueue:      {contract.OrderExchange, contract.KeyCancelRequested},
		} {
			litterQueue(t, j, ch, route, queue)
		}
		litterQueue(t, j, ch, [2]string{contract.OrderExchange, contract.KeyCancelled}, contract.InventoryQueue, contract.PaymentQueue)
	})
}

func litterQueue(t *testing.T, j *journal.Journal, ch *amqp.Channel, route [2]string, queues ...string) {
	t.Helper()
	for name, headers := range garbage() {
		if strings.HasPrefix(name, "ce_") {
			continue
		}
		for _, queue := range queues {
			litter(t, j, rabbit.DeadLetterQueue(queue))
		}
		table := amqp.Table{}
		for k, v := range headers {
			table[k] = v
		}
		err := ch.PublishWithContext(t.Context(), route[0], route[1], true, false, amqp.Publishing{
			Headers: table, Body: []byte(`{"not":"it"`), DeliveryMode: amqp.Persistent,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func onChannel(t *testing.T, use func(*amqp.Channel)) {
	t.Helper()
	conn, err := amqp.Dial(platform.AMQPURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	use(ch)
}

// reasons looks at one dead letter of each queue: it says why it lies there.
func reasons(t *testing.T) {
	t.Helper()
	onChannel(t, func(ch *amqp.Channel) {
		for _, queue := range []string{contract.InventoryQueue, contract.ShippingQueue, contract.ExpressLabelQueue} {
			d, ok, err := ch.Get(rabbit.DeadLetterQueue(queue), false)
			if err != nil || !ok {
				t.Fatalf("no dead letter of %s: %v", queue, err)
			}
			if text := fmt.Sprint(d.Headers); !strings.Contains(text, "reason") {
				t.Errorf("the dead letter of %s does not say why: %s", queue, text)
			}
			if err := d.Nack(false, true); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestServiceAlone starts each service without any server. It runs, says what it
// waits for, and is not ready.
func TestServiceAlone(t *testing.T) {
	for _, name := range []string{"order", "inventory", "payment", "shipping"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone(t, name)
		})
	}
}

func alone(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	addr := freeAddress(ctx, t)
	cmd, out := bare(ctx, t, name, addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, name+" to be alive", func() bool { return status(ctx, "http://"+addr+"/healthz") == 200 })
	if got := status(ctx, "http://"+addr+"/readyz"); got != 503 {
		t.Errorf("/readyz without a database: %d", got)
	}
	eventually(t, name+" to say what it waits for", func() bool { return strings.Contains(out.String(), "waiting for the database") })
	if strings.Contains(out.String(), "hidden") {
		t.Error("the log has the password")
	}
	cancel()
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		t.Errorf("%s ended: %v", name, err)
	}
}
