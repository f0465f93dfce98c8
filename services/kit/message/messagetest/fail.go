package messagetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

var errBroken = errors.New("broken")

// failing fails the first n calls of each message with err.
func failing(n int, err error) *recorder {
	return newRecorder(func(_ context.Context, _ message.Message, call int) error {
		if call <= n {
			return err
		}
		return nil
	})
}

func triesAgain(s *trial) {
	t, p := s.t, s.place
	r := failing(Attempts-1, errBroken)
	p.Consume(t, Consumer{GiveUp: true, Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	r.waitFor(t, m)
	calls := r.callsOf(m.ID)
	for i, call := range calls {
		if call.Delivery.Attempt != i+1 {
			t.Errorf("call %d is attempt %d", i+1, call.Delivery.Attempt)
		}
		s.received(m, call)
	}
	if len(calls) != Attempts {
		t.Errorf("handled %d times, want %d", len(calls), Attempts)
	}
	expectNoDeadLetter(t, p)
}

func triesAfterPanic(s *trial) {
	t, p := s.t, s.place
	r := newRecorder(nil)
	handler := func(ctx context.Context, m message.Message) error {
		if m.Delivery.Attempt == 1 {
			panic("first attempt") //nolint:forbidigo // what this part is about
		}
		return r.handle(ctx, m)
	}
	p.Consume(t, Consumer{GiveUp: true, Handler: message.Chain(handler, message.Recover())})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	r.waitFor(t, m)
	if got := r.callsOf(m.ID)[0].Delivery.Attempt; got != 2 {
		t.Errorf("the attempt after a panic is number %d, want 2", got)
	}
}

func acknowledgesConflict(s *trial) {
	t, p := s.t, s.place
	first, second := newMessage(p.To, "key-1"), newMessage(p.To, "key-1")
	r := newRecorder(func(_ context.Context, m message.Message, _ int) error {
		if m.ID == first.ID {
			return fault.New(fault.Conflict, "already so")
		}
		return nil
	})
	stop := p.Consume(t, Consumer{GiveUp: true, Handler: r.handle})
	s.publish(first)
	s.publish(second)
	r.waitFor(t, second)
	eventually(t, "the conflict to be handled", func() bool { return len(r.callsOf(first.ID)) > 0 })
	stop()
	after := newRecorder(nil)
	p.Consume(t, Consumer{Handler: after.handle})
	third := newMessage(p.To, "key-1")
	s.publish(third)
	after.waitFor(t, third)
	if n := len(r.callsOf(first.ID)) + len(after.callsOf(first.ID)); n != 1 {
		t.Errorf("a conflict was handled %d times, want once", n)
	}
	expectNoDeadLetter(t, p)
}

func holds(s *trial) {
	t, p := s.t, s.place
	r := failing(Attempts+2, fault.New(fault.Unavailable, "no database"))
	p.Consume(t, Consumer{GiveUp: true, Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	r.waitFor(t, m)
	calls := r.callsOf(m.ID)
	if len(calls) < Attempts+3 {
		t.Errorf("handled %d times, want %d or more", len(calls), Attempts+3)
	}
	for i, call := range calls {
		if call.Delivery.Attempt != 1 {
			t.Errorf("call %d is attempt %d: holding spent one", i+1, call.Delivery.Attempt)
		}
	}
	expectNoDeadLetter(t, p)
}

func setsAsideInvalid(s *trial) {
	t, p := s.t, s.place
	r := failing(100, fault.New(fault.Invalid, "quantity must be at least 1"))
	p.Consume(t, Consumer{Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	letter := awaitDeadLetter(t, p)
	checkLetter(t, letter, m, fault.Invalid)
	if n := len(r.callsOf(m.ID)); n != 1 {
		t.Errorf("handled %d times, want once", n)
	}
}

func setsAsideUnreadable(s *trial) {
	t, p := s.t, s.place
	r := newRecorder(nil)
	p.Consume(t, Consumer{Handler: r.handle})
	garbage := [][]byte{[]byte("\x00\xff garbage"), {}, []byte(`{"no":"headers"}`)}
	for _, g := range garbage {
		p.Send(t, map[string]string{"whatever": "\x00\xff"}, g)
	}
	m := newMessage(p.To, "key-1")
	s.publish(m)
	r.waitFor(t, m)
	eventually(t, "garbage to be set aside", func() bool { return len(p.DeadLetters(t)) == len(garbage) })
	for _, letter := range p.DeadLetters(t) {
		if letter.Reason == "" || letter.Kind != fault.Invalid.String() {
			t.Errorf("set aside as %q with reason %q", letter.Kind, letter.Reason)
		}
	}
	if n := len(r.handled()); n != 1 {
		t.Errorf("the handler saw %d messages, want the readable one alone", n)
	}
}

func givesUp(s *trial) {
	t, p := s.t, s.place
	r := failing(100, errBroken)
	p.Consume(t, Consumer{GiveUp: true, Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	letter := awaitDeadLetter(t, p)
	checkLetter(t, letter, m, fault.Internal)
	if letter.Attempts != Attempts {
		t.Errorf("set aside after %d attempts, want %d", letter.Attempts, Attempts)
	}
	if n := len(r.callsOf(m.ID)); n != Attempts {
		t.Errorf("handled %d times, want %d", n, Attempts)
	}
}

func neverGivesUp(s *trial) {
	t, p := s.t, s.place
	r := failing(Attempts+3, errBroken)
	p.Consume(t, Consumer{Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	r.waitFor(t, m)
	expectNoDeadLetter(t, p)
}

func holdsBackNothing(s *trial) {
	t, p := s.t, s.place
	bad := newMessage(p.To, "bad")
	r := newRecorder(func(_ context.Context, m message.Message, _ int) error {
		if m.ID == bad.ID {
			return fault.New(fault.Unavailable, "never there")
		}
		return nil
	})
	p.Consume(t, Consumer{Handler: r.handle})
	s.publish(bad)
	eventually(t, "the failing message to be tried", func() bool { return len(r.callsOf(bad.ID)) > 0 })
	for i := range 5 {
		good := newMessages(p.To, string(rune('a'+i)), 20)
		s.publish(good...)
		r.waitFor(t, good...)
	}
}

func finishesInFlight(s *trial) {
	t, p := s.t, s.place
	entered, release := make(chan struct{}), make(chan struct{})
	enter := once(func() { close(entered) })
	r := newRecorder(func(ctx context.Context, _ message.Message, _ int) error {
		enter()
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	stop := p.Consume(t, Consumer{Handler: r.handle})
	m := newMessage(p.To, "key-1")
	s.publish(m)
	await(t, entered, "the message to be handled")
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
		t.Fatal("stopped before the message in flight was finished")
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	await(t, stopped, "the consumer to stop")
	after := newRecorder(nil)
	p.Consume(t, Consumer{Handler: after.handle})
	next := newMessage(p.To, "key-1")
	s.publish(next)
	after.waitFor(t, next)
	if len(after.callsOf(m.ID)) > 0 {
		t.Error("a message that was finished while stopping was delivered again")
	}
}

func deliversAgain(s *trial) {
	t, p := s.t, s.place
	m := newMessage(p.To, "key-1")
	r := failing(1<<30, fault.New(fault.Unavailable, "no database"))
	stop := p.Consume(t, Consumer{Handler: r.handle})
	s.publish(m)
	eventually(t, "the message to be tried", func() bool { return len(r.callsOf(m.ID)) > 0 })
	stop()
	after := newRecorder(nil)
	p.Consume(t, Consumer{Handler: after.handle})
	after.waitFor(t, m)
	s.received(m, after.callsOf(m.ID)[0])
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(Wait):
		t.Fatalf("waited %s in vain: %s", Wait, what)
	}
}

func awaitDeadLetter(t *testing.T, p Place) DeadLetter {
	t.Helper()
	eventually(t, "a dead letter", func() bool { return len(p.DeadLetters(t)) == 1 })
	return p.DeadLetters(t)[0]
}

func checkLetter(t *testing.T, letter DeadLetter, m message.Message, kind fault.Kind) {
	t.Helper()
	if letter.ID != m.ID || !bytes.Equal(letter.Data, m.Data) {
		t.Errorf("set aside %s %q, want %s %q", letter.ID, letter.Data, m.ID, m.Data)
	}
	if letter.Kind != kind.String() || letter.Reason == "" {
		t.Errorf("set aside as %q with reason %q, want kind %s and a reason", letter.Kind, letter.Reason, kind)
	}
}

func expectNoDeadLetter(t *testing.T, p Place) {
	t.Helper()
	if letters := p.DeadLetters(t); len(letters) > 0 {
		t.Errorf("%d messages were set aside, first %s: %s", len(letters), letters[0].ID, letters[0].Reason)
	}
}
