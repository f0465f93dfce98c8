package rabbit

import (
	"strconv"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/message/messagetest"
	"parley.sh/services/kit/servertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	servertest.AMQP(t)
	messagetest.Run(t, messagetest.Harness{Place: conformancePlace})
}

func conformancePlace(t *testing.T) messagetest.Place {
	t.Helper()
	p := newPlace(t, shortLadder()[:messagetest.Attempts-1]...)
	raw := rawChannel(t)
	letters := &letters{raw: raw, queue: DeadLetterQueue(p.queue)}
	return messagetest.Place{
		To:        message.Address{Broker: message.RabbitMQ, Name: p.exchange, RoutingKey: p.key},
		Publisher: startPublisher(t, settings(t), Options{}),
		Send: func(t *testing.T, headers map[string]string, data []byte) {
			t.Helper()
			table := amqp.Table{}
			for name, value := range headers {
				table[name] = value
			}
			must(t, raw.PublishWithContext(within(t), p.exchange, p.key, false, false,
				amqp.Publishing{Headers: table, Body: data}))
		},
		Consume: func(t *testing.T, c messagetest.Consumer) func() {
			t.Helper()
			consumer := NewConsumer(settings(t), ConsumerConfig{
				Queue: p.queue, Delays: p.delays, GiveUp: c.GiveUp,
			}, c.Handler, Options{})
			return run(t, consumer.Run)
		},
		DeadLetters: letters.all,
	}
}

// letters empties a dead-letter queue and keeps what was in it.
type letters struct {
	mu    sync.Mutex
	raw   *amqp.Channel
	queue string
	read  []messagetest.DeadLetter
}

func (l *letters) all(t *testing.T) []messagetest.DeadLetter {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		d, ok, err := l.raw.Get(l.queue, true)
		must(t, err)
		if !ok {
			return l.read
		}
		h := texts(d.Headers)
		attempts, err := strconv.Atoi(h[message.DeadAttempts])
		must(t, err)
		l.read = append(l.read, messagetest.DeadLetter{
			ID: h["cloudEvents_id"], Data: d.Body, Attempts: attempts,
			Kind: h[message.DeadKind], Reason: h[message.DeadReason],
		})
	}
}
