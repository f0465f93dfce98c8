package e2e

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"

	"parley.sh/hack/local/stack"
	sim "parley.sh/hack/sim/client"
)

// breakRow takes a piece from a shelf that no movement took.
func breakRow(t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), platform.DatabaseURL(stack.Inventory))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	tag, err := conn.Exec(t.Context(), `UPDATE product SET on_hand = on_hand - 1 WHERE id = 'bulk-001'`)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("break a row: %v %v", tag, err)
	}
}

// breakTopic publishes an event of an order a second time, as another message.
func breakTopic(t *testing.T) {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	cfg.Producer.Return.Successes = true
	client, err := sarama.NewClient(strings.Split(platform.KafkaBrokers(), ","), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	m := firstEvent(t, client)
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	headers := make([]sarama.RecordHeader, len(m.Headers))
	for i, h := range m.Headers {
		headers[i] = *h
		if string(h.Key) == "ce_id" {
			headers[i].Value = []byte(newKey())
		}
	}
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{
		Topic: m.Topic, Partition: m.Partition, Key: sarama.ByteEncoder(m.Key), Value: sarama.ByteEncoder(m.Value), Headers: headers,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// firstEvent returns an event of an order: there may be garbage before it.
func firstEvent(t *testing.T, client sarama.Client) *sarama.ConsumerMessage {
	t.Helper()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	partition, err := consumer.ConsumePartition("Orders", 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = partition.Close() }()
	for m := range partition.Messages() {
		for _, h := range m.Headers {
			if string(h.Key) == "ce_source" && string(h.Value) == "order" {
				return m
			}
		}
	}
	t.Fatal("no event on the topic")
	return nil
}

// breakStatement holds money at the provider for an order that nobody knows.
func breakStatement(t *testing.T) {
	t.Helper()
	c, err := sim.NewClientWithResponses(platform.URL(stack.Sim))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.AuthorizePaymentWithResponse(t.Context(), &sim.AuthorizePaymentParams{IdempotencyKey: newKey()},
		sim.Authorize{OrderId: newKey(), Token: "tok_ok", Amount: sim.Money{AmountMinor: 1, Currency: "EUR"}})
	if err != nil || answer.JSON200 == nil {
		t.Fatalf("break the statement: %v %v", err, answer)
	}
}
