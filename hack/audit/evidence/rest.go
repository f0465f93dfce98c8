package evidence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/contract"
	"parley.sh/services/kit/rabbit"
)

// Sources says where everything is.
type Sources struct {
	Databases Databases
	Kafka     []string
	AMQP      string
	Sim       string
}

// queues are the platform's work queues.
func queues() []string {
	return []string{
		contract.InventoryQueue, contract.PaymentQueue, contract.ShippingQueue,
		contract.ExpressLabelQueue, contract.StandardLabelQueue,
	}
}

// poll is the pause between two looks at what is under way.
const poll = 500 * time.Millisecond

// AwaitRest waits until every order is settled, every outbox, queue and rung empty
// and every group at the end of its topics, twice in a row, and returns nil; or, when
// ctx ends before, what was still under way. Progress is told what it waits for.
func AwaitRest(ctx context.Context, s Sources, progress func(unrest []string)) []string {
	calm := 0
	var unrest []string
	for {
		found := s.unrest(ctx)
		if ctx.Err() != nil {
			return append(unrest, "the time is up")
		}
		if unrest = found; len(unrest) == 0 {
			if calm++; calm == 2 {
				return nil
			}
		} else {
			calm = 0
			progress(unrest)
		}
		select {
		case <-ctx.Done():
			return append(unrest, "the time is up")
		case <-time.After(poll):
		}
	}
}

// unrest lists what is under way now. Whatever cannot be asked is under way.
func (s Sources) unrest(ctx context.Context) []string {
	var found []string
	for _, look := range []func(context.Context) ([]string, error){s.unsettled, s.waiting, s.queued, s.behind} {
		what, err := look(ctx)
		if err != nil {
			what = append(what, err.Error())
		}
		found = append(found, what...)
	}
	return found
}

func count(ctx context.Context, url, query string) (int, error) {
	n := 0
	err := inDatabase(ctx, url, func(r *reader) {
		r.each(query, func(row pgx.Row) error { return row.Scan(&n) })
	})
	return n, err
}

func (s Sources) unsettled(ctx context.Context) ([]string, error) {
	n, err := count(ctx, s.Databases.Order, `SELECT count(*) FROM orders WHERE NOT settled`)
	if err != nil || n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d orders are not settled", n)}, nil
}

// waiting counts the outboxes. Levels of stock are published again for ever.
func (s Sources) waiting(ctx context.Context) ([]string, error) {
	var found []string
	for name, url := range map[string]string{
		"order": s.Databases.Order, "inventory": s.Databases.Inventory,
		"payment": s.Databases.Payment, "shipping": s.Databases.Shipping,
	} {
		n, err := count(ctx, url, `SELECT count(*) FROM outbox WHERE name <> '`+contract.TopicStock+`'`)
		if err != nil {
			return found, fmt.Errorf("count the outbox of %s: %w", name, err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d messages wait in the outbox of %s", n, name))
		}
	}
	return found, nil
}

// queued counts queues and rungs by passive declare: the management API is seconds
// behind.
func (s Sources) queued(context.Context) ([]string, error) {
	var found []string
	err := s.onChannel(func(ch *amqp.Channel) error {
		for _, queue := range queues() {
			places := []string{queue}
			for _, delay := range rabbit.DefaultDelays() {
				places = append(places, rabbit.RetryQueue(queue, delay))
			}
			for _, place := range places {
				q, err := ch.QueueDeclarePassive(place, true, false, false, false, nil)
				if err != nil {
					return fmt.Errorf("count queue %s: %w", place, err)
				}
				if q.Messages > 0 {
					found = append(found, fmt.Sprintf("%d messages lie in %s", q.Messages, place))
				}
			}
		}
		return nil
	})
	return found, err
}

func (s Sources) onChannel(use func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(s.AMQP)
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	return use(ch)
}

// behind compares what the groups have committed with the ends of their topics.
func (s Sources) behind(context.Context) (found []string, err error) {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V4_0_0_0
	client, err := sarama.NewClient(s.Kafka, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to Kafka: %w", err), client.Close())
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	for group, topics := range Groups() {
		for _, topic := range topics {
			lag, err := lagOf(client, admin, group, topic)
			if err != nil {
				return found, fmt.Errorf("lag of group %s on %s: %w", group, topic, err)
			}
			// Levels are published once a second, for ever.
			if lag > 0 && (topic != contract.TopicStock || lag > stockLag) {
				found = append(found, fmt.Sprintf("group %s is %d behind on %s", group, lag, topic))
			}
		}
	}
	return found, nil
}

// stockLag is how far a group that keeps up may be behind on the topic Stock.
const stockLag = 50

func lagOf(client sarama.Client, admin sarama.ClusterAdmin, group, topic string) (int64, error) {
	partitions, err := client.Partitions(topic)
	if err != nil {
		return 0, err
	}
	committed, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: partitions})
	if err != nil {
		return 0, err
	}
	lag := int64(0)
	for _, p := range partitions {
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return 0, err
		}
		begin, err := client.GetOffset(topic, p, sarama.OffsetOldest)
		if err != nil {
			return 0, err
		}
		at := begin
		if block := committed.GetBlock(topic, p); block != nil && block.Offset >= 0 {
			at = block.Offset
		}
		lag += end - at
	}
	return lag, nil
}
