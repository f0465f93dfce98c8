package rest

import (
	"context"
	"sync"
	"time"
)

// Streams bounds the number of open event streams, and closes them when the
// process stops: a stream would otherwise hold the stop up for ever.
type Streams struct {
	limit        int
	heartbeat    time.Duration
	writeTimeout time.Duration

	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	open int
}

// NewStreams returns Streams for at most limit at once. heartbeat is the longest
// silence on a stream; a client that does not take an event within it is dropped.
func NewStreams(limit int, heartbeat time.Duration) *Streams {
	return &Streams{limit: limit, heartbeat: heartbeat, writeTimeout: heartbeat, closed: make(chan struct{})}
}

// Run closes all streams when ctx ends, and lets none begin afterwards.
func (s *Streams) Run(ctx context.Context) error {
	<-ctx.Done()
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Open returns how many streams are open.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// enter takes a place, which leave gives back.
func (s *Streams) enter() (leave func(), ok bool) {
	select {
	case <-s.closed:
		return nil, false
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.limit {
		return nil, false
	}
	s.open++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}), true
}
