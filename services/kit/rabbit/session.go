package rabbit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// goodbye bounds the closing handshake of a connection.
const goodbye = 3 * time.Second

// errLost says that a connection ended under whoever was using it.
var errLost = errors.New("connection lost")

// unreadable reports whether a session ended because the client library could not
// read what the broker sent: headers nested too deep, or of a type it does not know.
func unreadable(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && !e.Server && (e.Reason == amqp.ErrSyntax.Error() || e.Reason == amqp.ErrFrame.Error())
}

// session is one connection from its login to its end. Channels and deliveries
// belong to exactly one session and die with it; nothing of an earlier epoch can
// reach the broker through a later one.
type session struct {
	epoch uint64
	host  string
	conn  *amqp.Connection
	wire  *wire
	since time.Time

	done  chan struct{} // closed when the connection has ended
	cause error         // why; read after done

	blocked atomic.Pointer[alarm]
	// onBlock is told when the broker stops and resumes taking messages.
	onBlock func(reason string)
	calls   traffic // calls to the broker, also those that nobody waits for any more
	watcher sync.WaitGroup
}

// alarm is why the broker takes no messages, until over is closed.
type alarm struct {
	reason string
	over   chan struct{}
}

// watch follows the connection. onBlock is called for each change.
//
// It also ends a connection whose reader is stuck: the client library waits for ever
// to hand over an answer that nobody asked for, as RabbitMQ 4.0 gives when a queue is
// deleted at the wrong moment. Heartbeats go on meanwhile, so neither side would notice,
// and a consumer would be silent.
func (s *session) watch(heartbeat time.Duration, onBlock func(reason string)) {
	s.onBlock = onBlock
	closed := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocks := s.conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	s.watcher.Go(func() {
		check := time.NewTicker(heartbeat / 2)
		defer check.Stop()
		for {
			select {
			case <-check.C:
				if s.wire.astray() > heartbeat {
					s.abort()
					_ = s.conn.CloseDeadline(time.Now()) // without the reader nobody else would see it
				}
			case b, ok := <-blocks:
				if !ok {
					blocks = nil // closed is next
					continue
				}
				s.block(b)
			case err := <-closed:
				s.end(err)
				return
			}
		}
	})
}

func (s *session) block(b amqp.Blocking) {
	before := s.blocked.Load()
	switch {
	case b.Active && before == nil:
		s.blocked.Store(&alarm{reason: b.Reason, over: make(chan struct{})})
		s.onBlock(b.Reason)
	case !b.Active && before != nil:
		s.blocked.Store(nil)
		close(before.over)
		s.onBlock("")
	}
}

func (s *session) end(err *amqp.Error) {
	s.cause = errLost
	if err != nil {
		s.cause = err
	}
	close(s.done)
}

// clear waits until the broker takes messages and the wire has room for one.
func (s *session) clear(ctx context.Context) error {
	for {
		a := s.blocked.Load()
		if a == nil {
			return s.wire.room(ctx)
		}
		select {
		case <-a.over:
		case <-s.done:
			return errLost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// alive reports whether the session can still be used.
func (s *session) alive() bool { return !s.conn.IsClosed() }

// close ends the connection if it has not ended, and waits for all that ran on it.
func (s *session) close() {
	_ = s.conn.CloseDeadline(time.Now().Add(goodbye))
	_ = s.wire.Close()
	<-s.calls.stop()
	s.watcher.Wait()
}

// abort ends the connection at once, and with it every call that waits on it.
func (s *session) abort() { _ = s.wire.Conn.Close() }

// detach runs f, which asks the broker something that nobody waits for.
func (s *session) detach(f func()) {
	if !s.calls.enter() {
		return
	}
	go func() {
		defer s.calls.leave()
		f()
	}()
}

// call runs f, which asks the broker something, and returns its result. The client
// library's calls know no context, so when ctx or the session ends first f is left to
// itself, and what it brings back late is given to discard.
func call[T any](ctx context.Context, s *session, f func() (T, error), discard func(T)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer)
	s.detach(func() {
		value, err := f()
		select {
		case answers <- answer{value, err}:
			return
		case <-s.done:
		case <-ctx.Done():
		}
		if err == nil {
			discard(value)
		}
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-s.done: // f ends soon, but it may not even have begun
		return *new(T), errLost
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
