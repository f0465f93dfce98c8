package evidence

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/hack/load/journal"
	"parley.sh/services/kit/rabbit"
)

// Gather reads everything. What it reads must be at rest: see AwaitRest.
func Gather(ctx context.Context, s Sources, lines []journal.Line) (*Evidence, error) {
	e := New()
	e.Journal = lines
	if err := e.readDatabases(ctx, s.Databases); err != nil {
		return nil, err
	}
	if err := e.readTopics(s.Kafka); err != nil {
		return nil, err
	}
	if err := e.readStatements(ctx, s.Sim); err != nil {
		return nil, err
	}
	if err := e.readDeadLetterQueues(s); err != nil {
		return nil, err
	}
	return e, nil
}

// New returns evidence of nothing.
func New() *Evidence {
	return &Evidence{
		Orders: map[string]Order{}, Timeline: map[string][]Change{}, Keys: map[Key]string{},
		Products: map[string]Product{}, Reservations: map[string]Reservation{},
		Payments: map[string]Payment{}, Shipments: map[string]Shipment{},
		Topics: map[string][]Record{}, DeadLetters: map[string]int{}, Refused: map[string]int{},
	}
}

func (e *Evidence) readDeadLetterQueues(s Sources) error {
	return s.onChannel(func(ch *amqp.Channel) error {
		for _, queue := range queues() {
			place := rabbit.DeadLetterQueue(queue)
			q, err := ch.QueueDeclarePassive(place, true, false, false, false, nil)
			if err != nil {
				return fmt.Errorf("count queue %s: %w", place, err)
			}
			e.DeadLetters[place] = q.Messages
		}
		return nil
	})
}
