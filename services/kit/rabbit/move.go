package rabbit

import (
	"context"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// move is a failed delivery on its way to a rung or to the dead-letter queue.
type move struct {
	delivery *amqp.Delivery
	message  message.Message
	verdict  verdict
	err      error
}

// moveTimeout bounds one attempt to publish, so that trouble shows.
const moveTimeout = 10 * time.Second

// The pauses between attempts to publish.
const (
	moveLow  = time.Second
	moveHigh = 15 * time.Second
)

// move publishes a failed delivery to where its verdict sends it and reports
// whether the broker has confirmed that. While it cannot be done, because the rung is
// missing or the broker takes nothing, the delivery stays unacknowledged and somebody
// is told; it is let go when its subscription ends or the consumer stops.
func (c *Consumer) move(ctx context.Context, sub *subscription, m move) bool {
	i := copyOf(m.delivery, c.queue, m.verdict, notes(m.delivery, c.queue, m.verdict, m.err))
	err := c.publish(ctx, sub, i)
	if err != nil {
		c.metrics.stuck.Inc()
		defer c.metrics.stuck.Dec()
		c.log.LogAttrs(ctx, slog.LevelError, "failed message cannot be moved", m.attrs(err)...)
		err = c.insist(ctx, sub, i, err)
	}
	if err == nil {
		c.report(ctx, m)
	}
	return err == nil
}

// insist goes on trying to publish what failed with err, until there is no sense in it.
func (c *Consumer) insist(ctx context.Context, sub *subscription, i *item, err error) error {
	pauses := backoff{low: moveLow, high: moveHigh}
	for err != nil && !sub.ended() && !sub.stopping() && ctx.Err() == nil {
		if fault.Is(err, fault.Invalid) {
			bare(i)
		}
		sub.pause(ctx, pauses.next())
		err = c.publish(ctx, sub, i)
	}
	return err
}

// publish tries once, as long as the subscription lives.
func (c *Consumer) publish(ctx context.Context, sub *subscription, i *item) error {
	ctx, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	defer sub.onEnd(cancel)()
	once := *i
	once.lane = c.retry.laneOf("")
	c.retry.send(ctx, []*item{&once})
	return once.err
}

// report tells what became of a failed message. That it failed at all is told by the
// handler's own middleware.
func (c *Consumer) report(ctx context.Context, m move) {
	attrs := m.attrs(m.err)
	switch {
	case m.verdict.key == DeadLetterKey:
		c.log.LogAttrs(ctx, slog.LevelError, "message dead-lettered", attrs...)
	case m.verdict.alert:
		c.metrics.exhausted.Inc()
		c.log.LogAttrs(ctx, slog.LevelError, "message stays on the last rung", attrs...)
	case m.verdict.result == "postponed":
		c.log.LogAttrs(ctx, slog.LevelWarn, "message postponed", attrs...)
	default:
		c.log.LogAttrs(ctx, slog.LevelDebug, "message will be tried again", attrs...)
	}
}

func (m move) attrs(err error) []slog.Attr {
	return append(m.message.LogAttrs(), slog.String("rung", m.verdict.key), slog.Any("err", err))
}
