package messagetest

import (
	"context"
	"strings"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func reportsEach(s *trial) {
	t, p := s.t, s.place
	r := newRecorder(nil)
	p.Consume(t, Consumer{Handler: r.handle})
	sent := newMessages(p.To, "key-1", 3)
	sent[1].Data = []byte(strings.Repeat("x", message.MaxData+1))
	ctx, cancel := context.WithTimeout(t.Context(), Wait)
	defer cancel()
	results := message.Results(p.Publisher.Publish(ctx, sent...), len(sent))
	if results[0] != nil || results[2] != nil {
		t.Errorf("good messages beside a bad one: %v, %v", results[0], results[2])
	}
	if !fault.Is(results[1], fault.Invalid) {
		t.Errorf("oversized message: %v, want Invalid", results[1])
	}
	r.waitFor(t, sent[0], sent[2])
}

func refusesUnreadable(s *trial) {
	t, p := s.t, s.place
	spoil := map[string]func(m *message.Message){
		"no id":        func(m *message.Message) { m.ID = "" },
		"no type":      func(m *message.Message) { m.Type = "" },
		"no source":    func(m *message.Message) { m.Source = "" },
		"no time":      func(m *message.Message) { m.Time = time.Time{} },
		"long subject": func(m *message.Message) { m.Subject = strings.Repeat("s", 1000) },
		"control":      func(m *message.Message) { m.ID = "a\nb" },
		"no address":   func(m *message.Message) { m.To.Name = "" },
		"other broker": func(m *message.Message) { m.To.Broker = "pigeon" },
	}
	for name, change := range spoil {
		m := newMessage(p.To, "key-1")
		change(&m)
		ctx, cancel := context.WithTimeout(t.Context(), Wait)
		err := p.Publisher.Publish(ctx, m)
		cancel()
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

func honoursContext(s *trial) {
	t, p := s.t, s.place
	s.publish(newMessage(p.To, "key-1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	messages := newMessages(p.To, "key-1", 3)
	for i, err := range message.Results(p.Publisher.Publish(ctx, messages...), len(messages)) {
		if err != nil && !fault.Is(err, fault.Unavailable) {
			t.Errorf("message %d: %v, want Unavailable or confirmed", i, err)
		}
	}
	s.publish(newMessage(p.To, "key-1"))
}
