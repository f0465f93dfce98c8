package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// state is whether a client stands with its brokers, for /readyz and the log. It
// logs changes only.
type state struct {
	// ctx is for the log alone: what happens to a connection is nobody's request.
	ctx context.Context
	log *slog.Logger
	up  prometheus.Gauge

	mu  sync.Mutex
	err error
	was bool
}

func newState(log *slog.Logger, up prometheus.Gauge) *state {
	return &state{ctx: context.Background(), log: log, up: up, err: errNotConnected}
}

func (s *state) get() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// set records how things stand; nil means well.
func (s *state) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.err
	if errors.Is(before, errClosed) {
		return
	}
	s.err = err
	switch {
	case err == nil && before != nil:
		s.up.Set(1)
		s.log.InfoContext(s.ctx, "kafka connected")
		s.was = true
	case err != nil && (before == nil || before == errNotConnected): //nolint:errorlint // the very value of newState
		s.up.Set(0)
		s.log.WarnContext(s.ctx, "kafka unavailable, trying again",
			slog.Any("err", err), slog.Bool("was_connected", s.was))
	}
}

// close ends it in order, without a word.
func (s *state) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errClosed
	s.up.Set(0)
}
