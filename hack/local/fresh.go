package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"

	"parley.sh/hack/local/stack"
)

// fresh refuses servers of somebody else that hold orders of an earlier run. The demo starts from nothing, but what it did not
// make it does not delete.
func fresh(ctx context.Context, use stack.Servers) error {
	var errs []error
	if use.Database != "" {
		errs = append(errs, freshDatabase(ctx, use.Database))
	}
	if use.Kafka != "" {
		errs = append(errs, freshKafka(use.Kafka))
	}
	return errors.Join(errs...)
}

func freshDatabase(ctx context.Context, address string) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to DATABASE_URL: %w", err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	var names []string
	err = c.QueryRow(ctx, `SELECT coalesce(array_agg(datname::text ORDER BY datname), '{}') FROM pg_database
		WHERE datname IN ('parley_order', 'parley_inventory', 'parley_payment', 'parley_shipping')`).Scan(&names)
	if err != nil {
		return fmt.Errorf("list databases of DATABASE_URL: %w", err)
	}
	if len(names) > 0 {
		return fmt.Errorf("the demo starts from nothing, but the server of DATABASE_URL has %s: drop them, or unset DATABASE_URL",
			strings.Join(names, ", "))
	}
	return nil
}

func freshKafka(brokers string) error {
	config := sarama.NewConfig()
	config.Version = sarama.V4_1_0_0
	client, err := sarama.NewClient(strings.Split(brokers, ","), config)
	if err != nil {
		return fmt.Errorf("connect to KAFKA_BROKERS: %w", err)
	}
	defer func() { _ = client.Close() }()
	topics, err := client.Topics()
	if err != nil {
		return fmt.Errorf("list topics of KAFKA_BROKERS: %w", err)
	}
	for _, topic := range topics {
		if topic == "Orders" {
			return errors.New("the demo starts from nothing, but the Kafka of KAFKA_BROKERS has a topic Orders: " +
				"delete the topics Orders, Inventory, Payments, Shipments and Stock with their .dlq topics, or unset KAFKA_BROKERS")
		}
	}
	return nil
}
