package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
)

// Why a message was not published, for the metric and for errors.Is in tests.
var (
	errReturned = errors.New("no queue is bound for it")
	errNacked   = errors.New("negative confirm")
	errRefused  = errors.New("channel exception")
)

// outlet is one channel in confirm mode.
type outlet struct {
	session *session
	raw     *amqp.Channel
	closed  chan *amqp.Error
	returns chan amqp.Return
	// abandoned counts messages whose sender stopped waiting: the broker may still
	// confirm them, and the library remembers them until it does.
	abandoned atomic.Int32

	mu       sync.Mutex
	returned map[returnKey]int
	known    bool // whether why is
	why      *amqp.Error
}

// returnKey is what a returned message can be known by. Two messages that share
// it are the same message, so it does not matter whose return it was.
type returnKey struct{ exchange, key, id string }

// openOutlet opens a channel for up to window messages in flight, once the broker
// takes messages: during an alarm it does not even read.
func openOutlet(ctx context.Context, s *session, window int) (*outlet, error) {
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	return call(ctx, s, func() (*outlet, error) {
		raw, err := s.conn.Channel()
		if err != nil {
			return nil, fmt.Errorf("open channel: %w", err)
		}
		if err := raw.Confirm(false); err != nil {
			return nil, errors.Join(fmt.Errorf("select confirms: %w", err), raw.Close())
		}
		return &outlet{
			session:  s,
			raw:      raw,
			closed:   raw.NotifyClose(make(chan *amqp.Error, 1)),
			returns:  raw.NotifyReturn(make(chan amqp.Return, 2*window)),
			returned: map[returnKey]int{},
		}, nil
	}, (*outlet).close)
}

// close gives the channel back. Its messages in flight stay undecided.
func (o *outlet) close() { _ = o.raw.Close() }

// alive reports whether the channel can still be used.
func (o *outlet) alive() bool { return !o.raw.IsClosed() }

// publish sends one item. An error means that it was not sent.
func (o *outlet) publish(i *item) error {
	confirm, err := o.raw.PublishWithDeferredConfirm(i.exchange, i.key, !i.optional, false, i.body)
	i.confirm = confirm
	return err
}

// judge decides an item whose confirm is there, unless the channel ended before
// the broker said anything: the library then makes confirms negative by itself.
func (o *outlet) judge(i *item) {
	switch {
	case i.confirm.Acked() && o.wasReturned(i):
		i.decide(fault.Wrap(fault.Unavailable, errReturned, "RabbitMQ returned the message: it reached no queue"))
	case i.confirm.Acked():
		i.decide(nil)
	case o.alive():
		i.decide(fault.Wrap(fault.Unavailable, errNacked, "RabbitMQ did not take the message: a queue refused it"))
	}
}

// wasReturned reports whether the broker returned an item that it then confirmed.
// It returns first, and the library's reader puts that into returns before it
// resolves the confirm, so whoever has seen the confirm finds the return here.
func (o *outlet) wasReturned(i *item) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.returns) > 0 {
		r, open := <-o.returns
		if !open {
			break
		}
		o.returned[returnKey{r.Exchange, r.RoutingKey, r.MessageId}]++
	}
	key := returnKey{i.exchange, i.key, i.body.MessageId}
	n := o.returned[key]
	if n == 0 {
		return false
	}
	if o.returned[key]--; n == 1 {
		delete(o.returned, key)
	}
	return true
}

// exception waits for the reason of a channel that has ended. It is nil when the
// connection ended with it, so that no message is to blame.
func (o *outlet) exception() *amqp.Error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known {
		o.why = <-o.closed // sent or closed by the library as part of the end
		o.known = true
	}
	if !o.session.alive() {
		return nil
	}
	return o.why
}

// refusal is the error of the one message over which the broker closed a channel.
func refusal(e *amqp.Error) error {
	cause := fmt.Errorf("%w: %w", errRefused, e)
	switch e.Code {
	case amqp.PreconditionFailed, amqp.ContentTooLarge:
		return fault.Wrap(fault.Invalid, cause, "RabbitMQ refuses the message for good: it is too large or malformed")
	case amqp.NotFound:
		return fault.Wrap(fault.Unavailable, cause, "RabbitMQ has no such exchange")
	case amqp.AccessRefused:
		return fault.Wrap(fault.Unavailable, cause, "RabbitMQ does not allow publishing to the exchange")
	}
	return fault.Wrap(fault.Unavailable, cause, "RabbitMQ refused the message")
}
