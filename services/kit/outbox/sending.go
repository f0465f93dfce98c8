package outbox

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

const (
	// finishTime is how long an unconfirmed batch may take once the relay stops, or
	// gives up a shard of it. What is not confirmed stays in the table.
	finishTime = 5 * time.Second
	// sayEvery bounds how often failures are logged that go on.
	sayEvery = 10 * time.Second
)

type landing struct {
	flight  *flight
	results []error
	took    time.Duration
}

// launch sends a batch beside the loop, which goes on changing the units.
func (c *conductor) launch(ctx context.Context, f *flight) {
	messages := make([]message.Message, len(f.units))
	for i, u := range f.units {
		messages[i] = u.rows[0].message
	}
	ctx, cutOff := context.WithTimeout(ctx, c.relay.cfg.PublishTimeout)
	c.flights[f] = cutOff
	to := f.lane.to.broker
	go func() {
		start := time.Now()
		err := c.relay.publish(ctx, to, messages)
		c.lands <- landing{f, message.Results(err, len(messages)), time.Since(start)}
	}()
}

func (r *Relay) publish(ctx context.Context, to message.Broker, messages []message.Message) error {
	p := r.publishers[to]
	if p == nil {
		return fault.New(fault.Internal, "this relay has no publisher for the broker")
	}
	return p.Publish(ctx, messages...)
}

// hurry cuts off what is in flight of shards that were given up some time ago: its
// broker may be away, and another replica waits, with rows for another broker.
func (c *conductor) hurry(now time.Time) {
	if c.hurryAt.IsZero() || now.Before(c.hurryAt) {
		return
	}
	c.hurryAt = time.Time{}
	for f, cutOff := range c.flights {
		if slices.ContainsFunc(f.units, func(u *unit) bool { return u.gone }) {
			cutOff()
		}
	}
}

// settle takes in what became of a batch.
func (c *conductor) settle(ctx context.Context, l landing) {
	c.flights[l.flight]()
	delete(c.flights, l.flight)
	to := l.flight.lane.to
	v := c.book.settle(l.flight, l.results, time.Now())
	c.waiting.refused = append(c.waiting.refused, v.refused...)
	m := c.relay.metrics
	m.delay.WithLabelValues(to.labels()...).Observe(l.took.Seconds())
	m.settled(to, v)
	m.parked.WithLabelValues(to.labels()...).Set(float64(len(l.flight.lane.parked)))
	if ctx.Err() == nil { // else the failures are ours
		c.say(ctx, to, v)
	}
}

// say logs what somebody should know of a batch: failures at intervals, because
// they may go on for hours, and refusals one by one.
func (c *conductor) say(ctx context.Context, to destination, v verdict) {
	if v.first != nil && time.Since(c.said[to]) >= sayEvery {
		c.said[to] = time.Now()
		c.relay.log.WarnContext(ctx, "outbox rows not confirmed", "destination", to.String(),
			"confirmed", v.confirmed, "failed", v.failures(), "whole_destination", v.whole, "err", v.first)
	}
	for _, r := range v.refused {
		c.relay.log.LogAttrs(ctx, slog.LevelError, "message refused for good and set aside",
			slog.String("destination", to.String()), slog.String("message_id", r.message.ID),
			slog.String("message_type", r.message.Type), slog.String("subject", r.message.Subject),
			slog.Any("err", r.reason))
	}
}
