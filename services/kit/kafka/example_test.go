package kafka_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/message"
)

func Example() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "Orders"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	cfg := kafka.Config{Brokers: cluster.ListenAddrs()}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	publisher := kafka.NewPublisher(cfg, kafka.Options{})
	defer func() { _ = publisher.Close() }()
	err = publisher.Publish(ctx, message.Message{
		ID: "1", Type: "OrderPlacedEvent", Source: "order", Subject: "order-1", Time: time.Now(),
		Key: "order-1", To: message.Address{Broker: message.Kafka, Name: "Orders"}, Data: []byte(`{}`),
	})
	fmt.Println("published:", err)

	handler := func(_ context.Context, m message.Message) error {
		fmt.Println("handled:", m.Type, m.Subject)
		cancel()
		return nil
	}
	inventory := kafka.ConsumerConfig{Group: "inventory", Topics: []string{"Orders"}}
	consumer := kafka.NewConsumer(cfg, inventory, handler, kafka.Options{})
	fmt.Println("ended:", consumer.Run(ctx))
	// Output:
	// published: <nil>
	// handled: OrderPlacedEvent order-1
	// ended: <nil>
}
