package stack

import (
	"context"
	"time"

	"parley.sh/hack/local/server"
)

// Backoff between the end of a process and its next start: the first pause, doubled while it keeps ending, up to the last. A
// process that lived for a while begins anew.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
	lived      = 30 * time.Second
)

// supervise starts again what ends until Stop, which ends the keepers and waits for them before it stops anything: whatever
// ends while a keeper watches has ended by itself or by another's hand.
func (s *Stack) supervise(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.unwatch = cancel
	for _, name := range s.Names() {
		s.keepers.Go(func() { s.keep(ctx, s.unit(name)) })
	}
}

// keep watches one process.
func (s *Stack) keep(ctx context.Context, unit *server.Server) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		since := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-unit.Done():
		}
		if time.Since(since) > lived {
			pause = firstPause
		}
		s.options.Progress.Say("%s ended (%s): starting it again in %s", unit.Name(), unit.Process().Reason(), pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if err := s.startUnit(ctx, unit); err != nil && ctx.Err() == nil {
			s.options.Progress.Say("%v", err)
		}
	}
}
