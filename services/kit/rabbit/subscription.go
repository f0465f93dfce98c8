package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errCancelled says that the broker ended a subscription, as when its queue is deleted.
var errCancelled = errors.New("the broker cancelled the consumer")

// subscription is one channel that consumes one queue. Deliveries belong to it and
// are acknowledged through it alone: when its channel has ended, finishing one has no
// effect, whatever session the consumer is in by then.
type subscription struct {
	epoch      uint64
	session    *session
	raw        *amqp.Channel
	deliveries <-chan amqp.Delivery
	// stop ends when the consumer is told to take no more.
	stop <-chan struct{}
	// life ends, with the cause, when the broker gives no more: the channel ended or
	// the subscription was cancelled. What is held is let go then, it comes again.
	life context.Context
	over context.CancelCauseFunc

	flight  sync.WaitGroup // deliveries being handled
	acker   sync.WaitGroup
	watcher sync.WaitGroup

	mu    sync.Mutex
	tally tally
	batch int           // so many are acknowledged without waiting for more
	kick  chan struct{} // told when the first is due, and when a batch is
	shut  bool          // kick is closed
}

// linger is how long the first finished delivery waits for others, so that they are
// acknowledged together.
const linger = time.Millisecond

// answerTimeout bounds what the broker may take to start a consumer. RabbitMQ can get
// stuck over a queue that is just being deleted; another channel is not.
const answerTimeout = 20 * time.Second

// subscribe opens a channel on a session and consumes queue over it. ctx ends the
// attempt, and later tells the subscription to take no more.
func subscribe(ctx context.Context, s *session, queue string, epoch uint64, prefetch int) (*subscription, error) {
	limited, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return call(limited, s, func() (*subscription, error) {
		raw, err := s.conn.Channel()
		if err != nil {
			return nil, fmt.Errorf("open channel: %w", err)
		}
		sub := newSubscription(ctx, s, raw, epoch)
		sub.batch = max(prefetch/4, 1)
		if err = raw.Qos(prefetch, 0, false); err == nil {
			sub.deliveries, err = raw.Consume(queue, sub.consumerTag(), false, false, false, false, nil)
		}
		if err != nil {
			sub.close()
			return nil, fmt.Errorf("consume %s: %w", queue, err)
		}
		return sub, nil
	}, (*subscription).close)
}

func newSubscription(ctx context.Context, s *session, raw *amqp.Channel, epoch uint64) *subscription {
	sub := &subscription{
		epoch:   epoch,
		session: s,
		raw:     raw,
		stop:    ctx.Done(),
		tally:   newTally(),
		kick:    make(chan struct{}, 1),
	}
	sub.life, sub.over = context.WithCancelCause(context.WithoutCancel(ctx))
	closed := raw.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := raw.NotifyCancel(make(chan string, 1))
	sub.watcher.Go(func() { sub.watch(closed, cancelled) })
	sub.acker.Go(sub.acknowledge)
	return sub
}

func (sub *subscription) consumerTag() string { return fmt.Sprintf("parley-%d", sub.epoch) }

// watch waits for the end. Both channels are closed when the AMQP channel is.
func (sub *subscription) watch(closed <-chan *amqp.Error, cancelled <-chan string) {
	cause := errLost
	select {
	case err := <-closed:
		if err != nil {
			cause = err
		}
	case _, told := <-cancelled:
		if told {
			cause = errCancelled
		}
	}
	sub.over(cause)
}

// ended reports whether the broker gives no more.
func (sub *subscription) ended() bool { return sub.life.Err() != nil }

// why returns the cause of its end, nil before.
func (sub *subscription) why() error { return context.Cause(sub.life) }

// onEnd calls f when the broker gives no more, unless stop is called before.
func (sub *subscription) onEnd(f func()) (stop func() bool) { return context.AfterFunc(sub.life, f) }

// stopping reports whether the consumer was told to take no more.
func (sub *subscription) stopping() bool {
	select {
	case <-sub.stop:
		return true
	default:
		return false
	}
}

// finished marks a delivery as done, so that it is acknowledged soon, and reports
// whether that is still possible: after the end of the channel the broker has put
// the message back already, and the tag means another one.
func (sub *subscription) finished(tag uint64) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.shut || sub.raw.IsClosed() {
		return false
	}
	sub.tally.finish(tag)
	if n := len(sub.tally.late); n == 1 || n == sub.batch {
		select {
		case sub.kick <- struct{}{}:
		default: // it is told already
		}
	}
	return true
}

// acknowledge is the only function of this package that acknowledges deliveries. It
// takes what has come together since its last round, and goes through the very
// channel that delivered: the library refuses it once that has ended.
func (sub *subscription) acknowledge() {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for open := true; open; {
		_, open = <-sub.kick
		timer.Reset(linger)
		if open {
			select {
			case <-timer.C:
			case _, open = <-sub.kick:
			}
		}
		sub.mu.Lock()
		upTo, singles := sub.tally.due()
		sub.mu.Unlock()
		if upTo > 0 {
			_ = sub.raw.Ack(upTo, true)
		}
		for _, tag := range singles {
			_ = sub.raw.Ack(tag, false)
		}
	}
}

// cancel asks the broker to give no more. What it gave and nobody handles goes back
// when the channel is closed. The end of ctx ends the whole session.
func (sub *subscription) cancel(ctx context.Context) {
	defer context.AfterFunc(ctx, sub.session.abort)()
	_ = sub.raw.Cancel(sub.consumerTag(), false)
}

// finish waits for the deliveries being handled, acknowledges what is due and gives
// the channel back. The end of ctx ends the whole session.
func (sub *subscription) finish(ctx context.Context) {
	sub.flight.Wait()
	defer context.AfterFunc(ctx, sub.session.abort)()
	sub.close()
}

func (sub *subscription) close() {
	sub.mu.Lock()
	if !sub.shut {
		sub.shut = true
		close(sub.kick)
	}
	sub.mu.Unlock()
	sub.acker.Wait() // the last acknowledgements go out before the end of the channel
	_ = sub.raw.Close()
	sub.watcher.Wait()
}

// pause waits for d, or until the wait makes no sense any more: the subscription
// ended, the consumer stops, or ctx ended.
func (sub *subscription) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-sub.life.Done():
	case <-sub.stop:
	case <-ctx.Done():
	}
}
