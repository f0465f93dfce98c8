package outbox

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/hack/local/server"
	"parley.sh/services/kit/config"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/rabbit"
	"parley.sh/services/kit/servertest"
)

// kafkaTopic makes a topic, and removes it when t ends.
func kafkaTopic(tb testing.TB, partitions int32, settings map[string]string) message.Address {
	tb.Helper()
	name := servertest.Name(tb)
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for k, v := range settings {
		detail.ConfigEntries[k] = &v
	}
	admin, err := sarama.NewClusterAdmin(servertest.Kafka(tb), kafkaSettings())
	if err != nil {
		tb.Fatal(err)
	}
	if err := admin.CreateTopic(name, detail, false); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = admin.DeleteTopic(name)
		_ = admin.Close()
	})
	return message.Address{Broker: message.Kafka, Name: name}
}

func kafkaSettings() *sarama.Config {
	s := sarama.NewConfig()
	s.Version = sarama.V3_9_0_0
	return s
}

func kafkaPublisher(tb testing.TB, maxBytes int) message.Publisher {
	tb.Helper()
	cfg := kafka.Config{Brokers: servertest.Kafka(tb), ClientID: "test", MaxMessageBytes: maxBytes}
	p := kafka.NewPublisher(cfg, kafka.Options{Log: testLog(tb)})
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Errorf("close the publisher: %v", err)
		}
	})
	return p
}

// readKafka returns the ids that a topic holds by key, partition by partition, first
// occurrences only.
func readKafka(tb testing.TB, topic string) map[string][]string {
	tb.Helper()
	client, err := sarama.NewClient(servertest.Kafka(tb), kafkaSettings())
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
	ids := map[string][]string{}
	for _, partition := range partitions {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		if err != nil {
			tb.Fatal(err)
		}
		from, err := reader.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			tb.Fatal(err)
		}
		for offset := int64(0); offset < end; {
			record := <-from.Messages()
			offset = record.Offset + 1
			for _, h := range record.Headers {
				if string(h.Key) == message.KafkaPrefix+"id" {
					ids[string(record.Key)] = append(ids[string(record.Key)], string(h.Value))
				}
			}
		}
		_ = from.Close()
	}
	for key := range ids {
		ids[key] = firsts(ids[key])
	}
	return ids
}

func large(m message.Message, bytes int) message.Message {
	m.Data = fmt.Appendf(nil, `{"filling":%q}`, slices.Repeat([]byte("x"), bytes))
	return m
}

// mixed returns rows of some keys in turn, of which large ones lie in the middle, and
// the ids by key that are to arrive.
func mixed(to message.Address, sizes ...int) (rows []message.Message, want map[string][]string) {
	const keys, perKey = 5, 12
	want = map[string][]string{}
	for n := range perKey {
		for k := range keys {
			m := newMessage(to, fmt.Sprint("k", k), n)
			if i := n - perKey/2; k == 2 && i >= 0 && i < len(sizes) {
				m = large(m, sizes[i])
			} else {
				want[m.Key] = append(want[m.Key], m.ID)
			}
			rows = append(rows, m)
		}
	}
	return rows, want
}

// relayAll adds rows, a few to a transaction, and relays until none is left.
func relayAll(
	ctx context.Context, tb testing.TB, db *postgres.DB, p map[message.Broker]message.Publisher, rows []message.Message,
) {
	tb.Helper()
	for chunk := range slices.Chunk(rows, 20) {
		add(ctx, tb, db, chunk...)
	}
	runRelay(ctx, tb, newRelay(tb, db, Defaults(), p))
	eventually(ctx, tb, "the outbox is empty", func() bool { return count(ctx, tb, db, "outbox") == 0 })
}

// TestKafkaLimits has rows in the middle that are larger than the client sends, and
// than the broker takes of this topic.
func TestKafkaLimits(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	to := kafkaTopic(t, 3, map[string]string{"max.message.bytes": "50000"})
	rows, want := mixed(to, 200_000, 80_000)
	// Random bytes: the broker's limit is about the compressed size.
	for i, m := range rows {
		if len(m.Data) > 50_000 {
			rows[i].Data = incompressible(len(m.Data))
		}
	}
	p := map[message.Broker]message.Publisher{message.Kafka: kafkaPublisher(t, 150_000)}
	relayAll(ctx, t, db, p, rows)
	if diff := cmp.Diff(want, readKafka(t, to.Name)); diff != "" {
		t.Errorf("in the topic (-want +got):\n%s", diff)
	}
	if n := count(ctx, t, db, "outbox_refused"); n != 2 {
		t.Errorf("%d rows set aside, want 2", n)
	}
}

// incompressible returns a JSON string of about n bytes.
func incompressible(n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	data := make([]byte, n)
	for i, x := 0, uint64(1); i < n; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		data[i] = letters[x%64]
	}
	data[0], data[n-1] = '"', '"'
	return data
}

// rabbitPlace is an exchange and a queue bound to it under a routing key.
type rabbitPlace struct {
	raw   *amqp.Channel
	queue string
	to    message.Address
}

func newRabbitPlace(tb testing.TB, url string, args amqp.Table) rabbitPlace {
	tb.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := conn.Channel()
	if err != nil {
		tb.Fatal(err)
	}
	name := servertest.Name(tb)
	p := rabbitPlace{raw, name, message.Address{Broker: message.RabbitMQ, Name: name, RoutingKey: "made"}}
	tb.Cleanup(func() {
		_, _ = raw.QueueDelete(name, false, false, false)
		_ = raw.ExchangeDelete(name, false, false)
		_ = conn.Close()
	})
	if err := raw.ExchangeDeclare(name, "topic", true, false, false, false, nil); err != nil {
		tb.Fatal(err)
	}
	if _, err := raw.QueueDeclare(name, true, false, false, false, args); err != nil {
		tb.Fatal(err)
	}
	if err := raw.QueueBind(name, "made", name, false, nil); err != nil {
		tb.Fatal(err)
	}
	return p
}

// drain takes what the queue holds and adds the ids to those by key, first
// occurrences only: a channel that is closed over one message doubles others.
func (p rabbitPlace) drain(tb testing.TB, ids map[string][]string) {
	tb.Helper()
	for {
		d, ok, err := p.raw.Get(p.queue, true)
		if err != nil {
			tb.Fatal(err)
		}
		if !ok {
			return
		}
		id, _ := d.Headers[message.AMQPPrefix+"id"].(string)
		subject, _ := d.Headers[message.AMQPPrefix+"subject"].(string)
		if !slices.Contains(ids[subject], id) {
			ids[subject] = append(ids[subject], id)
		}
	}
}

func rabbitPublisher(tb testing.TB, url string) message.Publisher {
	tb.Helper()
	cfg := rabbit.Defaults()
	cfg.URL = config.Secret(url)
	cfg.ReconnectMax = 200 * time.Millisecond
	p := rabbit.NewPublisher(cfg, rabbit.Options{Log: testLog(tb)})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(func() { stop(); running.Wait() })
	return p
}

// TestRabbitLimits does for RabbitMQ what TestKafkaLimits does for Kafka, on a server
// that takes less than the client sends.
func TestRabbitLimits(t *testing.T) {
	t.Parallel()
	servertest.AMQP(t) // skips where no servers are wanted
	ctx, db := open(t)
	r, err := server.NewRabbit(server.RabbitOptions{
		Options: server.Options{Dir: t.TempDir()}, Config: []string{"max_message_size = 100000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Kill() })
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	place := newRabbitPlace(t, r.URL(), amqp.Table{"x-queue-type": "quorum"})
	rows, want := mixed(place.to, message.MaxData+1, 200_000)
	p := map[message.Broker]message.Publisher{message.RabbitMQ: rabbitPublisher(t, r.URL())}
	relayAll(ctx, t, db, p, rows)
	got := map[string][]string{}
	place.drain(t, got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the queue (-want +got):\n%s", diff)
	}
	if n := count(ctx, t, db, "outbox_refused"); n != 2 {
		t.Errorf("%d rows set aside, want 2", n)
	}
}

// TestRabbitNacks publishes to a queue that is full most of the time.
func TestRabbitNacks(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	url := servertest.AMQP(t)
	place := newRabbitPlace(t, url, amqp.Table{
		"x-queue-type": "quorum", "x-max-length": int32(4), "x-overflow": "reject-publish",
	})
	rows, want := mixed(place.to)
	add(ctx, t, db, rows...)
	cfg := Defaults()
	cfg.RetryMin, cfg.RetryMax = 5*time.Millisecond, 50*time.Millisecond
	p := map[message.Broker]message.Publisher{message.RabbitMQ: rabbitPublisher(t, url)}
	runRelay(ctx, t, newRelay(t, db, cfg, p))
	got := map[string][]string{}
	eventually(ctx, t, "all have gone through the queue", func() bool {
		place.drain(t, got)
		return count(ctx, t, db, "outbox") == 0
	})
	place.drain(t, got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("through the queue (-want +got):\n%s", diff)
	}
}

// TestRabbitCutOff relays Kafka's rows while RabbitMQ cannot be reached, and
// RabbitMQ's when it can.
func TestRabbitCutOff(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	u, err := url.Parse(servertest.AMQP(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := servertest.NewProxy(t, u.Host)
	u.Host = proxy.Addr
	to := kafkaTopic(t, 3, nil)
	place := newRabbitPlace(t, servertest.AMQP(t), amqp.Table{"x-queue-type": "quorum"})
	p := map[message.Broker]message.Publisher{
		message.Kafka: kafkaPublisher(t, 0), message.RabbitMQ: rabbitPublisher(t, u.String()),
	}
	proxy.Cut()
	work, wantWork := mixed(place.to)
	facts, wantFacts := mixed(to)
	add(ctx, t, db, work...)
	add(ctx, t, db, facts...)
	runRelay(ctx, t, newRelay(t, db, Defaults(), p))
	eventually(ctx, t, "Kafka's rows are gone", func() bool { return count(ctx, t, db, "outbox") == len(work) })
	if diff := cmp.Diff(wantFacts, readKafka(t, to.Name)); diff != "" {
		t.Errorf("in the topic (-want +got):\n%s", diff)
	}
	proxy.Restore()
	eventually(ctx, t, "RabbitMQ's rows are gone", func() bool { return count(ctx, t, db, "outbox") == 0 })
	got := map[string][]string{}
	place.drain(t, got)
	if diff := cmp.Diff(wantWork, got); diff != "" {
		t.Errorf("in the queue (-want +got):\n%s", diff)
	}
}
