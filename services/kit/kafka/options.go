package kafka

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are what publishers and consumers are given by their service.
type Options struct {
	// Log takes what operators should know. Nil discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil keeps them to themselves.
	Registerer prometheus.Registerer
}

// ConsumerConfig says what one consumer consumes.
type ConsumerConfig struct {
	// Group is the consumer group: its members share the partitions.
	Group string
	// Topics are the topics to consume. All of them must exist.
	Topics []string
	// GiveUp sets a message aside in the dead-letter topic after MaxAttempts failed
	// attempts. False tries it again for ever, in place, and raises an alert.
	GiveUp bool
	// MaxAttempts is how many attempts fail before a message is given up or raises
	// an alert. Zero means 10.
	MaxAttempts int
	// CaughtUp, if set, is told that every message of a partition that the broker had
	// at a moment is finished. It is called at least once a second while that stays so,
	// from several goroutines, and must return at once.
	CaughtUp func(topic string, partition int32, at time.Time)
}

// DeadLetterTopic returns the topic that takes what a group sets aside of a topic.
func DeadLetterTopic(topic, group string) string { return topic + "." + group + ".dlq" }

// DefaultAttempts is what a zero ConsumerConfig.MaxAttempts means.
const DefaultAttempts = 10

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func (c ConsumerConfig) withDefaults() ConsumerConfig {
	c.MaxAttempts = cmp.Or(c.MaxAttempts, DefaultAttempts)
	return c
}
