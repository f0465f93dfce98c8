package rabbit

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/message"
)

// Options are what publishers, consumers and subscribers are given by their service.
type Options struct {
	// Name says who this is in the broker's list of connections, such as "order".
	// Empty is the name of the program.
	Name string
	// Log takes what operators should know. Nil discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil keeps them to themselves.
	Registerer prometheus.Registerer
	// Optional names the exchanges of a publisher whose messages may reach no queue,
	// such as a fanout of hints that nobody listens to. To any other exchange a
	// message that reaches no queue is an error.
	Optional []string
}

// ConsumerConfig says what one consumer consumes.
type ConsumerConfig struct {
	// Queue is the queue to consume. It, its exchange <queue>.retry, its rungs and
	// its dead-letter queue are made by somebody else; the consumer waits for them.
	Queue string
	// Prefetch is how many messages are held unacknowledged. Zero is Config.Prefetch.
	Prefetch int
	// Workers is how many messages are handled at once. Zero is as many as are held.
	Workers int
	// Delays are the rungs of the queue's retry ladder, shortest first. Nil is
	// DefaultDelays.
	Delays []time.Duration
	// GiveUp sets a message aside in the dead-letter queue when it failed once more
	// after the last rung. False keeps it on the last rung and raises an alert.
	GiveUp bool
}

// DefaultDelays returns the rungs of the platform's queues.
func DefaultDelays() []time.Duration {
	return []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute}
}

// SubscriberConfig says what one subscriber listens to.
type SubscriberConfig struct {
	// Exchange is the fanout exchange. It is made by somebody else; the subscriber
	// waits for it.
	Exchange string
	// Buffer is how many messages wait for the callback, in this process and again on
	// the broker; what is more is dropped, the oldest first on the broker. Zero is 256.
	Buffer int
	// Resumed, if set, is called whenever the subscriber listens again: messages may
	// have been missed. It is called between two messages and must return soon.
	Resumed func(ctx context.Context)
}

// RetryExchange returns the direct exchange that takes the failed messages of a queue.
func RetryExchange(queue string) string { return queue + ".retry" }

// RetryQueue returns the rung of a queue for a delay. Its routing key is DelayKey.
func RetryQueue(queue string, delay time.Duration) string {
	return queue + ".retry." + DelayKey(delay)
}

// DeadLetterQueue returns the queue that takes what a queue's consumers set aside.
func DeadLetterQueue(queue string) string { return queue + ".dlq" }

// DeadLetterKey is the routing key of a dead-letter queue on its retry exchange.
const DeadLetterKey = "dlq"

var _ message.Publisher = (*Publisher)(nil)
