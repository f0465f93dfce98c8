package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/hack/local/server"
)

func TestRabbit(t *testing.T) {
	requireServers(t)
	t.Parallel()
	r, err := server.NewRabbit(server.RabbitOptions{Options: options(t)})
	must(t, "make", err)
	write := func(ctx context.Context) error { return errors.Join(publish(ctx, r), r.Durable(ctx)) }
	testLife(t, r, write, func(ctx context.Context) error {
		return errors.Join(count(r), manages(ctx, r), controls(ctx, r))
	})
}

const queue = "survivor"

func publish(ctx context.Context, r *server.Rabbit) error {
	connection, err := amqp.Dial(r.URL())
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return err
	}
	if err := channel.Confirm(false); err != nil {
		return err
	}
	for n := range messages {
		confirm, err := channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(name(n))})
		if err != nil {
			return err
		}
		if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
			return fmt.Errorf("message %d: acked %t, %w", n, acked, err)
		}
	}
	return nil
}

// count reads every message and gives them all back by ending the connection without an ack.
func count(r *server.Rabbit) error {
	connection, err := amqp.Dial(r.URL())
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue, "", false, true, false, false, nil)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for len(seen) < messages {
		d, ok := <-deliveries
		if !ok {
			return fmt.Errorf("deliveries ended after %d messages", len(seen))
		}
		seen[string(d.Body)] = true
	}
	return nil
}

func manages(ctx context.Context, r *server.Rabbit) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.ManagementURL()+"/api/overview", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("management answers %s", response.Status)
	}
	return nil
}

func controls(ctx context.Context, r *server.Rabbit) error {
	out, err := r.Control(ctx, "list_queues", "--quiet", "name")
	if err == nil && !strings.Contains(out, queue) {
		err = fmt.Errorf("rabbitmqctl lists %q, want %s", out, queue)
	}
	return err
}
