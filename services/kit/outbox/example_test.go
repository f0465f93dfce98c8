package outbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/rabbit"
)

// A change and its announcement are one transaction.
func ExampleAdd() {
	ship := func(ctx context.Context, db *postgres.DB, relay *outbox.Relay, orderID string) error {
		err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE orders SET state = 'shipped' WHERE id = $1`, orderID); err != nil {
				return err
			}
			return outbox.Add(ctx, tx, message.Message{
				ID: orderID + "/shipped", Type: "OrderShippedEvent", Source: "order", Subject: orderID,
				Time: time.Now(), Key: orderID, To: message.Address{Broker: message.Kafka, Name: "Orders"},
				Data: []byte(`{"version":3}`),
			})
		})
		if err == nil {
			relay.Wake()
		}
		return err
	}
	_ = ship
}

// The relay stops before the publishers that it needs.
func ExampleNewRelay() {
	run := func(ctx context.Context, db *postgres.DB, facts *kafka.Publisher, work *rabbit.Publisher) error {
		relay := outbox.NewRelay(db, outbox.Defaults(), map[message.Broker]message.Publisher{
			message.Kafka: facts, message.RabbitMQ: work,
		}, outbox.Options{Log: slog.Default()})
		return lifecycle.Serve(ctx, lifecycle.Config{ShutdownTimeout: 20 * time.Second},
			lifecycle.Stage{
				{Name: "migrations", Run: db.Migrator(outbox.Migrations).Run},
				{Name: "relay", Run: db.After(relay.Run)},
			},
			lifecycle.Stage{{Name: "kafka", Run: facts.Run}, {Name: "rabbitmq", Run: work.Run}},
		)
	}
	_ = run
}

func ExampleConfig_Validate() {
	cfg := outbox.Defaults()
	cfg.PollMax = 0
	fmt.Println(cfg.Validate())
	// Output: OUTBOX_POLL_MAX is too small: give 50ms or more
}
