package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/contract"
	"parley.sh/services/order/client"
)

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// TestOneTrace follows the trace of a POST through Kafka and RabbitMQ to the label.
func TestOneTrace(t *testing.T) {
	onChannel(t, func(ch *amqp.Channel) {
		labels := tap(t, ch)
		id := placeTraced(t)
		eventually(t, "the order to settle", func() bool { return get(t, id).Settled })
		seen := map[string]string{}
		tracesOnKafka(t, id, seen)
		tracesOnRabbit(t, id, labels, seen)
		for _, name := range []string{
			"OrderPlacedEvent", "StockReservedEvent", "PaymentAuthorizedEvent", "OrderConfirmedEvent", "FulfilOrder",
			"PrintLabel", "ShipmentDispatchedEvent", "StockPickedEvent", "PaymentCapturedEvent", "OrderShippedEvent",
		} {
			if !strings.Contains(seen[name], traceID) {
				t.Errorf("%s has the trace %q", name, seen[name])
			}
		}
	})
}

// tap listens to the work of order and shipping.
func tap(t *testing.T, ch *amqp.Channel) <-chan amqp.Delivery {
	t.Helper()
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for exchange, key := range map[string]string{contract.OrderExchange: "#", contract.ShippingExchange: contract.LevelExpress} {
		if err := ch.QueueBind(q.Name, key, exchange, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

func placeTraced(t *testing.T) string {
	t.Helper()
	traced := func(_ context.Context, r *http.Request) error {
		r.Header.Set("traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
		return nil
	}
	answer, err := api(t, "order").PlaceOrderWithResponse(t.Context(),
		&client.PlaceOrderParams{IdempotencyKey: newKey()}, good("traced"), traced)
	if err != nil || answer.JSON202 == nil {
		t.Fatalf("place: %v %v", err, answer)
	}
	return answer.JSON202.ID.String()
}

func tracesOnKafka(t *testing.T, id string, seen map[string]string) {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	consumer, err := sarama.NewConsumer(strings.Split(platform.KafkaBrokers(), ","), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	for _, topic := range []string{
		contract.TopicOrders, contract.TopicInventory, contract.TopicPayments, contract.TopicShipments,
	} {
		partitions, err := consumer.Partitions(topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range partitions {
			tracesOf(t, consumer, topic, p, id, seen)
		}
	}
}

func tracesOf(t *testing.T, consumer sarama.Consumer, topic string, partition int32, id string, seen map[string]string) {
	t.Helper()
	p, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for {
		select {
		case m := <-p.Messages():
			if string(m.Key) == id {
				headers := map[string]string{}
				for _, h := range m.Headers {
					headers[string(h.Key)] = string(h.Value)
				}
				seen[headers["ce_type"]] = headers["traceparent"]
			}
			if m.Offset+1 >= p.HighWaterMarkOffset() {
				return
			}
		case <-time.After(time.Second):
			return // the partition is empty
		}
	}
}

func tracesOnRabbit(t *testing.T, id string, deliveries <-chan amqp.Delivery, seen map[string]string) {
	t.Helper()
	for seen["PrintLabel"] == "" || seen["FulfilOrder"] == "" {
		select {
		case d := <-deliveries:
			if d.Headers["cloudEvents_subject"] == id {
				name, _ := d.Headers["cloudEvents_type"].(string)
				seen[name], _ = d.Headers["traceparent"].(string)
			}
		case <-time.After(time.Minute):
			t.Fatal("the work of the order was not seen on RabbitMQ")
		}
	}
}
