package rabbit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
)

// Consumer hands the messages of a queue to a handler, several at once and in no
// promised order. See the package's comment for what becomes of a message.
type Consumer struct {
	queue    string
	prefetch int
	hold     time.Duration
	handler  message.Handler
	ladder   ladder
	link     *link
	retry    *Publisher
	log      *slog.Logger
	metrics  consumerMetrics
	again    backoff
	workers  chan struct{} // one element a delivery being handled
	// finishing are subscriptions that give no more and still have some in flight.
	finishing sync.WaitGroup
	epoch     uint64
	careful   bool // the next subscription takes one delivery alone

	mu  sync.Mutex
	err error // why the queue is not consumed on the current session
}

type consumerMetrics struct {
	consumed  *prometheus.CounterVec // by result
	handling  prometheus.Gauge
	exhausted prometheus.Counter
	stuck     prometheus.Gauge
	stale     prometheus.Counter
}

// NewConsumer returns a consumer that starts with Run. It never fails and needs no
// server; a configuration that Config.Validate refuses is the error of Run.
func NewConsumer(cfg Config, c ConsumerConfig, handler message.Handler, o Options) *Consumer {
	m := newMetrics(o.Registerer)
	prefetch := max(firstSet(c.Prefetch, cfg.Prefetch), 1)
	delays := c.Delays
	if len(delays) == 0 {
		delays = DefaultDelays()
	}
	return &Consumer{
		queue:    c.Queue,
		prefetch: prefetch,
		hold:     cfg.HoldMax,
		handler:  message.Chain(handler, message.Recover()),
		ladder:   ladder{delays: delays, giveUp: c.GiveUp},
		link:     newLink(cfg, "consumer "+c.Queue, o, m, false),
		retry:    newPublisher(cfg, "retry "+c.Queue, o, true),
		log:      logger(o).With(slog.String("queue", c.Queue)),
		again:    backoff{low: cfg.ReconnectMin, high: cfg.ReconnectMax},
		workers:  make(chan struct{}, firstSet(c.Workers, prefetch)),
		err:      errNotConsuming,
		metrics: consumerMetrics{
			consumed:  m.consumed.MustCurryWith(prometheus.Labels{"queue": c.Queue}),
			handling:  m.handling.WithLabelValues(c.Queue),
			exhausted: m.exhausted.WithLabelValues(c.Queue),
			stuck:     m.stuck.WithLabelValues(c.Queue),
			stale:     m.stale.WithLabelValues(c.Queue),
		},
	}
}

// errNotConsuming is the state between a connection and its first subscription.
var errNotConsuming = fault.New(fault.Unavailable, "the queue is not consumed yet")

func firstSet(values ...int) int {
	for _, v := range values {
		if v > 0 {
			return v
		}
	}
	return 0
}

// Run consumes until ctx ends, then finishes the messages being handled,
// acknowledges them and disconnects. Handlers run on lifecycle.Finish(ctx). Call it
// once.
func (c *Consumer) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(lifecycle.Finish(ctx))
	defer cancel()
	moving, stop := context.WithCancel(work)
	var mover sync.WaitGroup
	mover.Go(func() { _ = c.retry.Run(moving) }) // its configuration is that of the link
	err := c.link.run(ctx, func(ctx context.Context, s *session) { c.serve(ctx, work, s) })
	c.finishing.Wait()
	stop()
	mover.Wait()
	return err
}

// Err returns why the queue is not being consumed, or nil.
func (c *Consumer) Err() error {
	if err := c.link.state(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Consumer) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// serve keeps the queue subscribed on one session, also when it is deleted and made
// again. When ctx has ended it returns with nothing in flight.
func (c *Consumer) serve(ctx, work context.Context, s *session) {
	for s.alive() {
		began := time.Now()
		err := c.once(ctx, work, s)
		if ctx.Err() != nil {
			c.finishing.Wait()
			return
		}
		if err == nil {
			continue
		}
		c.set(fault.Wrap(fault.Unavailable, err, "the queue cannot be consumed"))
		if s.alive() {
			c.log.LogAttrs(ctx, slog.LevelWarn, "queue is not consumed", slog.Any("err", err))
		}
		c.again.lasted(time.Since(began))
		pause(ctx, max(c.again.next(), settling(err)), s.done)
	}
	c.set(errNotConsuming)
	<-s.done
	c.careful = c.careful || unreadable(s.cause)
}

// settling is how long a queue that was just deleted is left alone: RabbitMQ tells its
// consumers before it has finished, and stumbles over who consumes it in between.
func settling(err error) time.Duration {
	if errors.Is(err, errCancelled) {
		return 300 * time.Millisecond
	}
	return 0
}

// once subscribes and hands out deliveries until the broker gives no more or ctx
// ends. What is in flight then is left to finishing.
//
// A delivery that the client library cannot read ends the connection, which counts
// against the delivery limit of all that is unacknowledged. So the next one is taken
// alone: if it is that very message, only it comes closer to its limit and to the
// dead-letter queue.
func (c *Consumer) once(ctx, work context.Context, s *session) error {
	c.epoch++
	prefetch := c.prefetch
	if c.careful {
		prefetch = 1
	}
	sub, err := subscribe(ctx, s, c.queue, c.epoch, prefetch)
	if err != nil {
		return err
	}
	c.set(nil)
	c.log.LogAttrs(ctx, slog.LevelInfo, "queue is consumed",
		slog.Uint64("epoch", sub.epoch), slog.Int("prefetch", prefetch))
	c.take(ctx, work, sub)
	if !sub.ended() {
		sub.cancel(work)
		c.careful = false
	}
	c.finishing.Go(func() { sub.finish(work) })
	return sub.why()
}

// take hands out deliveries while there are workers for them, a careful consumer one
// only. It returns when sub or ctx has ended, or with that one.
func (c *Consumer) take(ctx, work context.Context, sub *subscription) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.life.Done():
			return
		case c.workers <- struct{}{}:
		}
		d, ok := c.next(ctx, sub)
		if !ok {
			<-c.workers
			return
		}
		sub.flight.Go(func() {
			defer func() { <-c.workers }()
			c.handle(work, sub, &d)
		})
		if c.careful {
			return
		}
	}
}

// next waits for a delivery.
func (c *Consumer) next(ctx context.Context, sub *subscription) (d amqp.Delivery, ok bool) {
	select {
	case <-ctx.Done():
	case <-sub.life.Done():
	case d, ok = <-sub.deliveries:
		if !ok { // the library closes it just before it tells why
			<-sub.life.Done()
		}
	}
	return d, ok
}

// handle brings one delivery to its end.
func (c *Consumer) handle(ctx context.Context, sub *subscription, d *amqp.Delivery) {
	c.metrics.handling.Inc()
	defer c.metrics.handling.Dec()
	m, err := decode(c.queue, d)
	if err == nil {
		err = c.attempt(ctx, sub, m)
	}
	result := c.settle(ctx, sub, d, m, err)
	c.metrics.consumed.WithLabelValues(result).Inc()
}

// settle does what the result of a delivery's handling asks for, and names it for
// the metric. A delivery that is left alone comes again: it is unacknowledged
// when its channel ends.
func (c *Consumer) settle(
	ctx context.Context, sub *subscription, d *amqp.Delivery, m message.Message, err error,
) string {
	v := verdict{result: "done"}
	switch {
	case errors.Is(err, errLetGo):
		return "abandoned"
	case errors.Is(err, errPutBack):
		v = c.ladder.soon(m.Delivery.Attempt)
	case err != nil:
		v = c.ladder.judge(err, m.Delivery.Attempt)
	}
	if v.key != "" && !c.move(ctx, sub, move{delivery: d, message: m, verdict: v, err: err}) {
		return "abandoned"
	}
	if !sub.finished(d.DeliveryTag) {
		c.metrics.stale.Inc()
		return "abandoned"
	}
	return v.result
}
