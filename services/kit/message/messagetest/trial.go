package messagetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley.sh/services/kit/message"
)

// trial is one part of the suite on a place of its own.
type trial struct {
	t       *testing.T
	ordered bool
	place   Place
}

// publish sends messages and wants all of them confirmed.
func (s *trial) publish(messages ...message.Message) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), Wait)
	defer cancel()
	if err := s.place.Publisher.Publish(ctx, messages...); err != nil {
		s.t.Fatalf("publish: %v", err)
	}
}

// deliver sends a message and returns what a consumer is given.
func (s *trial) deliver(m message.Message) message.Message {
	s.t.Helper()
	r := newRecorder(nil)
	s.place.Consume(s.t, Consumer{Handler: r.handle})
	s.publish(m)
	r.waitFor(s.t, m)
	return r.callsOf(m.ID)[0]
}

// received compares a message with the one that was sent.
func (s *trial) received(sent, got message.Message) {
	s.t.Helper()
	ignored := []string{"Delivery"}
	if !s.ordered {
		ignored = append(ignored, "Key")
	}
	if diff := cmp.Diff(sent, got, cmpopts.IgnoreFields(message.Message{}, ignored...)); diff != "" {
		s.t.Errorf("message changed on its way (-sent +received):\n%s", diff)
	}
}
