package rabbit

import (
	"context"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// Subscriber hands the messages of a fanout exchange to a callback, through a
// private queue that ends with its connection. Messages may be lost.
type Subscriber struct{}

// NewSubscriber returns a subscriber that starts with Run. It never fails and needs
// no server. fn is called by one goroutine, one message at a time.
func NewSubscriber(cfg Config, s SubscriberConfig, fn func(context.Context, message.Message), o Options) *Subscriber {
	return &Subscriber{}
}

// Run listens until ctx ends.
func (s *Subscriber) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Err returns why the subscriber is not listening, or nil.
func (s *Subscriber) Err() error { return fault.New(fault.Unavailable, "not connected") }
