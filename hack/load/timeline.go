package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/contract"
	"parley.sh/services/kit/message"
)

// sighting is one message of an order, as somebody saw it on a broker.
type sighting struct {
	at                 time.Time
	medium, what, from string
}

// tap listens to RabbitMQ through a private queue: a queue keeps nothing that could
// be read afterwards. It keeps the first orders only.
type tap struct {
	kafka []string
	conn  *amqp.Connection
	done  sync.WaitGroup

	mu   sync.Mutex
	seen map[string][]sighting
}

// tapped bounds the orders that a tap keeps.
const tapped = 200

// openTap returns a tap that may hear nothing: the timeline is for show.
func openTap(s settings, want bool) *tap {
	t := &tap{kafka: s.Kafka, seen: map[string][]sighting{}}
	if !want || s.AMQP == "" {
		return t
	}
	conn, err := amqp.Dial(s.AMQP)
	if err != nil {
		return t
	}
	t.conn = conn
	deliveries, err := t.bind()
	if err != nil {
		return t
	}
	t.done.Go(func() {
		for d := range deliveries {
			t.note(d)
		}
	})
	return t
}

func (t *tap) bind() (<-chan amqp.Delivery, error) {
	ch, err := t.conn.Channel()
	if err != nil {
		return nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-max-length": 10000})
	if err != nil {
		return nil, err
	}
	for _, b := range [][2]string{
		{contract.OrderExchange, "#"},
		{contract.ShippingExchange, contract.LevelExpress},
		{contract.ShippingExchange, contract.LevelStandard},
	} {
		if err := ch.QueueBind(q.Name, b[1], b[0], false, nil); err != nil {
			return nil, err
		}
	}
	return ch.Consume(q.Name, "", true, true, false, false, nil)
}

func (t *tap) note(d amqp.Delivery) {
	subject, _ := d.Headers[message.AMQPPrefix+"subject"].(string)
	kind, _ := d.Headers[message.AMQPPrefix+"type"].(string)
	from, _ := d.Headers[message.AMQPPrefix+"source"].(string)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.seen[subject]; !known && len(t.seen) >= tapped {
		return
	}
	t.seen[subject] = append(t.seen[subject], sighting{
		time.Now(), "RabbitMQ", fmt.Sprintf("%s by %s of %s", kind, d.RoutingKey, d.Exchange), from,
	})
}

func (t *tap) close() {
	if t.conn != nil {
		_ = t.conn.Close()
	}
	t.done.Wait()
}

// showTimeline prints the way of one shipped order over REST, Kafka and RabbitMQ.
func (r *runner) showTimeline(ctx context.Context, t *tap) {
	o := r.example(t)
	if o == nil {
		return
	}
	t.mu.Lock()
	all := slices.Clone(t.seen[o.id])
	t.mu.Unlock()
	all = append(all,
		sighting{o.began, "REST", "POST /api/orders", "customer"},
		sighting{o.began.Add(o.answered), "REST", "202 Accepted", "order"})
	all = append(all, t.facts(ctx, o.id)...)
	slices.SortStableFunc(all, func(a, b sighting) int { return a.at.Compare(b.at) })
	fmt.Printf("\n  the way of order %s\n", o.id)
	for _, s := range all {
		fmt.Printf("  %+9.1f ms  %-9s %-48s %s\n", float64(s.at.Sub(o.began).Microseconds())/1000, s.medium, s.what, s.from)
	}
}

// example picks a shipped order that the tap has heard of.
func (r *runner) example(t *tap) *order {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range r.orders[min(len(r.orders)/20, 50):] {
		if o.end == "shipped" && o.settled > 0 && len(t.seen[o.id]) > 0 {
			return o
		}
	}
	return nil
}

// facts reads the events of an order from the topics. Their times are those of the
// events, when the fact happened.
func (t *tap) facts(ctx context.Context, id string) []sighting {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	consumer, err := sarama.NewConsumer(t.kafka, cfg)
	if err != nil {
		return nil
	}
	defer func() { _ = consumer.Close() }()
	var found []sighting
	for _, topic := range []string{
		contract.TopicOrders, contract.TopicInventory, contract.TopicPayments, contract.TopicShipments,
	} {
		partitions, err := consumer.Partitions(topic)
		if err != nil {
			continue
		}
		for _, p := range partitions {
			found = append(found, factsOf(ctx, consumer, topic, p, id)...)
		}
	}
	return found
}

func factsOf(ctx context.Context, consumer sarama.Consumer, topic string, partition int32, id string) []sighting {
	p, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return nil
	}
	defer func() { _ = p.Close() }()
	var found []sighting
	for {
		select {
		case m := <-p.Messages():
			if string(m.Key) == id {
				found = append(found, fact(topic, m))
			}
			if m.Offset+1 >= p.HighWaterMarkOffset() {
				return found
			}
		case <-time.After(500 * time.Millisecond):
			return found
		case <-ctx.Done():
			return found
		}
	}
}

func fact(topic string, m *sarama.ConsumerMessage) sighting {
	s := sighting{at: m.Timestamp, medium: "Kafka"}
	for _, h := range m.Headers {
		switch string(h.Key) {
		case message.KafkaPrefix + "type":
			s.what = fmt.Sprintf("%s on %s", h.Value, topic)
		case message.KafkaPrefix + "source":
			s.from = string(h.Value)
		case message.KafkaPrefix + "time":
			if at, err := time.Parse(time.RFC3339Nano, string(h.Value)); err == nil {
				s.at = at
			}
		}
	}
	return s
}
