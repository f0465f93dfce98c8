package rabbit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// The benchmarks publish the same messages to the same kind of queue over as many
// channels with as large a window: through the kit, through the bare client library
// with deferred confirms, and one at a time as frameworks do.

const (
	benchmarkBody = 256
	many          = 8192 // messages a round
)

// benchmarkTarget makes an exchange with a queue that keeps few messages, so that
// the broker does the work of a publish and no disk fills.
func benchmarkTarget(b *testing.B) message.Address {
	b.Helper()
	ch := rawChannel(b)
	name := servertest.Name(b)
	must(b, ch.ExchangeDeclare(name, "direct", true, false, false, false, nil))
	_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-max-length": int32(10_000),
	})
	must(b, err)
	must(b, ch.QueueBind(name, "key", name, false, nil))
	b.Cleanup(func() {
		_, _ = ch.QueueDelete(name, false, false, false)
		_ = ch.ExchangeDelete(name, false, false)
	})
	return message.Address{Broker: message.RabbitMQ, Name: name, RoutingKey: "key"}
}

func benchmarkMessage(to message.Address, n int) message.Message {
	return message.Message{
		ID: fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n), Type: "ThingHappenedEvent", Source: "benchmark",
		Subject: fmt.Sprintf("key-%d", n%64), Key: fmt.Sprintf("key-%d", n%64),
		Time:       time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		DataSchema: "https://parley.sh/schema/ThingHappenedEvent.v1.json",
		To:         to, Data: make([]byte, benchmarkBody),
	}
}

// publishKit publishes many messages through the kit in batches.
func publishKit(b *testing.B, p *Publisher, to message.Address) {
	b.Helper()
	const batch = 2048
	ctx := context.Background()
	var all sync.WaitGroup
	for w := range 2 {
		all.Go(func() {
			for from := w * batch; from < many; from += 2 * batch {
				messages := make([]message.Message, 0, batch)
				for i := from; i < min(from+batch, many); i++ {
					messages = append(messages, benchmarkMessage(to, i))
				}
				if err := p.Publish(ctx, messages...); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// publishRaw publishes n messages over the library alone, channels at once.
func publishRaw(b *testing.B, conn *amqp.Connection, to message.Address, n, channels, window int) {
	b.Helper()
	var all sync.WaitGroup
	for c := range channels {
		all.Go(func() {
			ch, err := conn.Channel()
			if err == nil {
				err = ch.Confirm(false)
			}
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = ch.Close() }()
			flight := make([]*amqp.DeferredConfirmation, 0, window)
			wait := func(n int) {
				for _, d := range flight[:n] {
					if !d.Wait() {
						b.Error("nacked")
					}
				}
				flight = append(flight[:0], flight[n:]...)
			}
			for i := c; i < n; i += channels {
				if len(flight) == window {
					wait(max(window/2, 1))
				}
				d, err := ch.PublishWithDeferredConfirm(to.Name, to.RoutingKey, true, false, rawPublishing(to, i))
				if err != nil {
					b.Error(err)
					return
				}
				flight = append(flight, d)
			}
			wait(len(flight))
		})
	}
	all.Wait()
}

// rawPublishing is what a careful user of the library writes for the same message.
func rawPublishing(to message.Address, n int) amqp.Publishing {
	m := benchmarkMessage(to, n)
	return amqp.Publishing{
		Headers: amqp.Table{
			"cloudEvents_id": m.ID, "cloudEvents_source": m.Source, "cloudEvents_type": m.Type,
			"cloudEvents_specversion": "1.0", "cloudEvents_time": m.Time.Format(time.RFC3339Nano),
			"cloudEvents_subject": m.Subject, "cloudEvents_dataschema": m.DataSchema,
		},
		ContentType: message.ContentType, DeliveryMode: amqp.Persistent, MessageId: m.ID,
		Timestamp: m.Time, Type: m.Type, AppId: m.Source, Body: m.Data,
	}
}

// BenchmarkPublish takes turns between the three, because other work on the machine
// would otherwise decide the ratios. One iteration is one round.
func BenchmarkPublish(b *testing.B) {
	const few = 256
	cfg := settings(b)
	to := benchmarkTarget(b)
	p := startPublisher(b, cfg, Options{})
	conn, err := amqp.Dial(servertest.AMQP(b))
	must(b, err)
	defer func() { _ = conn.Close() }()
	publishKit(b, p, to)
	publishRaw(b, conn, to, many, cfg.Channels, cfg.Window)
	var kit, raw, single time.Duration
	b.ResetTimer()
	for b.Loop() {
		kit += timed(func() { publishKit(b, p, to) })
		raw += timed(func() { publishRaw(b, conn, to, many, cfg.Channels, cfg.Window) })
		single += timed(func() { publishRaw(b, conn, to, few, 1, 1) })
	}
	rate := func(n int, d time.Duration) float64 { return float64(n*b.N) / d.Seconds() }
	b.ReportMetric(rate(many, kit), "kit-msg/s")
	b.ReportMetric(rate(many, raw), "raw-msg/s")
	b.ReportMetric(rate(few, single), "single-msg/s")
	b.ReportMetric(rate(many, kit)/rate(many, raw), "kit/raw")
	b.ReportMetric(rate(many, kit)/rate(few, single), "kit/single")
	b.ReportMetric(0, "ns/op")
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// BenchmarkConsume takes the same number of messages from a queue through the kit and
// through the bare library that acknowledges every prefetch/4. One iteration is one round.
func BenchmarkConsume(b *testing.B) {
	cfg := settings(b)
	to := benchmarkTarget(b)
	publisher := startPublisher(b, cfg, Options{})
	conn, err := amqp.Dial(servertest.AMQP(b))
	must(b, err)
	defer func() { _ = conn.Close() }()
	var kit, raw time.Duration
	b.ResetTimer()
	for b.Loop() {
		publishKit(b, publisher, to)
		kit += timed(func() { consumeKit(b, cfg, to.Name, many) })
		publishKit(b, publisher, to)
		raw += timed(func() { consumeRaw(b, conn, to.Name, many, cfg.Prefetch) })
	}
	b.ReportMetric(float64(many*b.N)/kit.Seconds(), "kit-msg/s")
	b.ReportMetric(float64(many*b.N)/raw.Seconds(), "raw-msg/s")
	b.ReportMetric(raw.Seconds()/kit.Seconds(), "kit/raw")
	b.ReportMetric(0, "ns/op")
}

func consumeKit(b *testing.B, cfg Config, queue string, n int) {
	b.Helper()
	var seen atomic.Int64
	all := make(chan struct{})
	c := NewConsumer(cfg, ConsumerConfig{Queue: queue}, func(context.Context, message.Message) error {
		if seen.Add(1) == int64(n) {
			close(all)
		}
		return nil
	}, Options{})
	stop := run(b, c.Run)
	<-all
	stop()
}

func consumeRaw(b *testing.B, conn *amqp.Connection, queue string, n, prefetch int) {
	b.Helper()
	ch, err := conn.Channel()
	must(b, err)
	defer func() { _ = ch.Close() }()
	must(b, ch.Qos(prefetch, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(b, err)
	for i := 1; i <= n; i++ {
		d := <-deliveries
		if i%(prefetch/4) == 0 || i == n {
			must(b, d.Ack(true))
		}
	}
}
