package messagetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"parley.sh/services/kit/message"
)

// recorder is a handler that remembers its calls and answers as a test says.
type recorder struct {
	// answer decides the result of the n-th call for this message, from 1. Nil is
	// always success.
	answer func(ctx context.Context, m message.Message, n int) error

	mu      sync.Mutex
	calls   []message.Message
	done    []message.Message
	count   map[string]int
	changed chan struct{}
}

func newRecorder(answer func(ctx context.Context, m message.Message, n int) error) *recorder {
	return &recorder{answer: answer, count: map[string]int{}, changed: make(chan struct{}, 1)}
}

// handle is the message.Handler.
func (r *recorder) handle(ctx context.Context, m message.Message) error {
	n := r.begin(m)
	var err error
	if r.answer != nil {
		err = r.answer(ctx, m, n)
	}
	if err == nil {
		r.mu.Lock()
		r.done = append(r.done, m)
		r.mu.Unlock()
	}
	r.notify()
	return err
}

func (r *recorder) begin(m message.Message) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, m)
	r.count[m.ID]++
	return r.count[m.ID]
}

func (r *recorder) notify() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// callsOf returns the calls for one message, in order.
func (r *recorder) callsOf(id string) []message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	var calls []message.Message
	for _, m := range r.calls {
		if m.ID == id {
			calls = append(calls, m)
		}
	}
	return calls
}

// handled returns what succeeded, in order.
func (r *recorder) handled() []message.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]message.Message(nil), r.done...)
}

// waitFor returns when every one of the messages was handled.
func (r *recorder) waitFor(t *testing.T, messages ...message.Message) {
	t.Helper()
	deadline := time.After(Wait)
	for missing := r.missing(messages); len(missing) > 0; missing = r.missing(messages) {
		select {
		case <-r.changed:
		case <-deadline:
			t.Fatalf("%d of %d messages were not handled in %s, first %s",
				len(missing), len(messages), Wait, missing[0].ID)
		}
	}
}

func (r *recorder) missing(messages []message.Message) []message.Message {
	seen := map[string]bool{}
	for _, m := range r.handled() {
		seen[m.ID] = true
	}
	var missing []message.Message
	for _, m := range messages {
		if !seen[m.ID] {
			missing = append(missing, m)
		}
	}
	return missing
}

// eventually polls until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(Wait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s in vain: %s", Wait, what)
		}
	}
}
