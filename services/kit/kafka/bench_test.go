package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// BenchmarkPublish compares a confirmed Publish with sarama's AsyncProducer under
// the same settings and headers, both on the real broker. ratio is what the kit
// keeps of its throughput.
func BenchmarkPublish(b *testing.B) {
	brokers := servertest.Kafka(b)
	topic := testTopic(b, brokers, 6, nil)
	messages := benchMessages(topic, 20_000)
	var raw, kit time.Duration
	n := 0
	for b.Loop() { // in turns, so that both meet the same machine
		raw += publishRaw(b, brokers, messages)
		kit += publishKit(b, brokers, messages)
		n += len(messages)
	}
	b.ReportMetric(float64(n)/raw.Seconds(), "raw-msg/s")
	b.ReportMetric(float64(n)/kit.Seconds(), "kit-msg/s")
	b.ReportMetric(raw.Seconds()/kit.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func benchMessages(topic string, n int) []message.Message {
	messages := make([]message.Message, n)
	for i := range messages {
		m := testMessage(topic, fmt.Sprintf("key-%d", i%1000))
		m.DataSchema = "https://parley.sh/schema/ThingHappenedEvent.v1.json"
		m.Headers = map[string]string{message.TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
		m.Data = []byte(`{"orderId":"` + m.ID + `","pad":"` + strings.Repeat("x", 150) + `"}`)
		messages[i] = m
	}
	return messages
}

func publishRaw(b *testing.B, brokers []string, messages []message.Message) time.Duration {
	b.Helper()
	s, err := testConfig(brokers).withDefaults().producer(false)
	if err != nil {
		b.Fatal(err)
	}
	p, err := sarama.NewAsyncProducer(brokers, s)
	if err != nil {
		b.Fatal(err)
	}
	warm(b, func() { p.Input() <- rawRecord(&messages[0]) }, p)
	start := time.Now()
	go func() {
		for i := range messages {
			p.Input() <- rawRecord(&messages[i])
		}
	}()
	for range messages {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			b.Fatal(err)
		}
	}
	took := time.Since(start)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

func warm(b *testing.B, send func(), p sarama.AsyncProducer) {
	b.Helper()
	send()
	select {
	case <-p.Successes():
	case err := <-p.Errors():
		b.Fatal(err)
	}
}

// rawRecord makes the record that the kit makes, as one would by hand.
func rawRecord(m *message.Message) *sarama.ProducerMessage {
	headers := []sarama.RecordHeader{
		header("ce_id", m.ID), header("ce_source", m.Source), header("ce_type", m.Type),
		header("ce_specversion", message.SpecVersion), header("ce_time", m.Time.Format(time.RFC3339Nano)),
		header("ce_subject", m.Subject), header("content-type", message.ContentType),
	}
	if m.DataSchema != "" {
		headers = append(headers, header("ce_dataschema", m.DataSchema))
	}
	for name, value := range m.Headers {
		headers = append(headers, header(name, value))
	}
	return &sarama.ProducerMessage{
		Topic: m.To.Name, Key: sarama.StringEncoder(m.Key), Value: sarama.ByteEncoder(m.Data), Headers: headers,
	}
}

// publishers is how many callers publish at once, as the shards of a relay do.
const publishers = 8

func publishKit(b *testing.B, brokers []string, messages []message.Message) time.Duration {
	b.Helper()
	p := NewPublisher(testConfig(brokers), Options{})
	defer func() { _ = p.Close() }()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := p.Publish(ctx, messages[0]); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	results := make(chan error, publishers)
	for i := range publishers {
		go func() {
			results <- publishPart(ctx, p, messages[i*len(messages)/publishers:(i+1)*len(messages)/publishers])
		}()
	}
	for range publishers {
		if err := <-results; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

func publishPart(ctx context.Context, p *Publisher, messages []message.Message) error {
	const batch = 1000
	for len(messages) > 0 {
		n := min(batch, len(messages))
		if err := p.Publish(ctx, messages[:n]...); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}
