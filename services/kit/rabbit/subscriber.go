package rabbit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// defaultBuffer is what a zero SubscriberConfig.Buffer means.
const defaultBuffer = 256

// Subscriber hands the messages of a fanout exchange to a callback, through a
// private queue that ends with its connection. Messages may be lost: use it for
// hints about what can be read elsewhere.
type Subscriber struct {
	exchange string
	buffer   int
	resumed  func(ctx context.Context)
	fn       func(context.Context, message.Message)
	link     *link
	log      *slog.Logger
	hints    *prometheus.CounterVec // by result
	again    backoff

	messages chan message.Message
	began    chan struct{} // holds one element while resumed is due

	mu  sync.Mutex
	err error
}

// errNotListening is the state between a connection and its first queue.
var errNotListening = fault.New(fault.Unavailable, "the exchange is not listened to yet")

// NewSubscriber returns a subscriber that starts with Run. It never fails and needs
// no server. fn is called by one goroutine, one message at a time; while it is busy
// Buffer messages wait and further ones are dropped.
func NewSubscriber(cfg Config, s SubscriberConfig, fn func(context.Context, message.Message), o Options) *Subscriber {
	m := newMetrics(o.Registerer)
	buffer := firstSet(s.Buffer, defaultBuffer)
	return &Subscriber{
		exchange: s.Exchange,
		buffer:   buffer,
		resumed:  s.Resumed,
		fn:       fn,
		link:     newLink(cfg, "subscriber "+s.Exchange, o, m, false),
		log:      logger(o).With(slog.String("exchange", s.Exchange)),
		hints:    m.hints.MustCurryWith(prometheus.Labels{"exchange": s.Exchange}),
		again:    backoff{low: cfg.ReconnectMin, high: cfg.ReconnectMax},
		messages: make(chan message.Message, buffer),
		began:    make(chan struct{}, 1),
		err:      errNotListening,
	}
}

// Run listens until ctx ends and the callback has returned. Call it once.
func (s *Subscriber) Run(ctx context.Context) error {
	var caller sync.WaitGroup
	caller.Go(func() { s.call(ctx) })
	defer caller.Wait()
	return s.link.run(ctx, s.serve)
}

// Err returns why the exchange is not being listened to, or nil.
func (s *Subscriber) Err() error {
	if err := s.link.state(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Subscriber) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// call is the one goroutine of the callbacks.
func (s *Subscriber) call(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.began:
			if s.resumed != nil {
				s.resumed(ctx)
			}
		case m := <-s.messages:
			s.fn(ctx, m)
			s.hints.WithLabelValues("delivered").Inc()
		}
	}
}

// serve listens on one session, over a new queue whenever the last one ended.
func (s *Subscriber) serve(ctx context.Context, session *session) {
	for session.alive() && ctx.Err() == nil {
		began := time.Now()
		err := s.once(ctx, session)
		if ctx.Err() != nil {
			return
		}
		s.set(fault.Wrap(fault.Unavailable, err, "the exchange cannot be listened to"))
		if session.alive() {
			s.log.LogAttrs(ctx, slog.LevelWarn, "exchange is not listened to", slog.Any("err", err))
		}
		s.again.lasted(time.Since(began))
		pause(ctx, s.again.next(), session.done)
	}
}

// once makes a queue and listens until it ends.
func (s *Subscriber) once(ctx context.Context, session *session) error {
	limited, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	raw, err := call(limited, session, session.conn.Channel, discard)
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer session.detach(func() { discard(raw) })
	deliveries, err := call(limited, session, func() (<-chan amqp.Delivery, error) { return s.open(raw) },
		func(<-chan amqp.Delivery) {})
	if err != nil {
		return err
	}
	s.set(nil)
	select {
	case s.began <- struct{}{}:
	default: // still due
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d, open := <-deliveries:
			if !open {
				return errCancelled
			}
			s.offer(&d)
		}
	}
}

func discard(raw *amqp.Channel) { _ = raw.Close() }

// open makes the private queue, bounded so that a slow listener costs the broker
// nothing, and consumes it without acknowledgements.
func (s *Subscriber) open(raw *amqp.Channel) (<-chan amqp.Delivery, error) {
	q, err := raw.QueueDeclare("", false, true, true, false, amqp.Table{
		amqp.QueueTypeArg:     amqp.QueueTypeClassic,
		amqp.QueueMaxLenArg:   int64(s.buffer),
		amqp.QueueOverflowArg: amqp.QueueOverflowDropHead,
	})
	if err != nil {
		return nil, fmt.Errorf("declare queue: %w", err)
	}
	if err := raw.QueueBind(q.Name, "", s.exchange, false, nil); err != nil {
		return nil, fmt.Errorf("bind to %s: %w", s.exchange, err)
	}
	deliveries, err := raw.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	return deliveries, nil
}

// offer puts a message before the callback, or drops it: the client library would
// gather what is not taken, without bound.
func (s *Subscriber) offer(d *amqp.Delivery) {
	m, err := decode(s.exchange, d)
	if err != nil {
		s.hints.WithLabelValues("unreadable").Inc()
		return
	}
	select {
	case s.messages <- m:
	default:
		s.hints.WithLabelValues("dropped").Inc()
	}
}
