package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrHardStop is the cause of contexts that the hard stop ended, and is in the
// error of a Serve that needed one.
var ErrHardStop = errors.New("work in flight was cut off: SHUTDOWN_TIMEOUT passed")

// unheard is how long Serve waits, after the hard stop, for parts that should
// have returned at once.
const unheard = 5 * time.Second

// Part is one long-running thing of a process.
type Part struct {
	// Name says what it is, in errors and logs.
	Name string
	// Run runs until ctx ends, finishes what it has begun on Finish(ctx), and
	// returns. Returning nil before is fine; an error, or a panic, stops the process.
	Run func(ctx context.Context) error
}

// Stage is a group of parts that are told to stop together.
type Stage []Part

// Serve runs the parts of all stages until ctx ends, a part fails, or all have
// returned; then it stops the stages in order. It returns nil after an orderly
// stop, else the failures, the first one first. Under Main it logs why it stops
// when it begins to. The package comment draws it.
func Serve(ctx context.Context, cfg Config, stages ...Stage) error {
	s := newServing(logOf(ctx))
	defer s.kill(nil)
	for _, stage := range stages {
		s.start(ctx, stage)
	}
	select {
	case <-ctx.Done():
		s.log.InfoContext(ctx, "stopping", "timeout", cfg.ShutdownTimeout.String())
	case <-s.failed:
		s.log.ErrorContext(ctx, "stopping because a part failed", "err", s.first())
	case <-s.finished():
	}
	return s.stop(cfg.ShutdownTimeout)
}

// serving is one run of Serve.
type serving struct {
	log    *slog.Logger
	hard   context.Context
	kill   context.CancelCauseFunc
	stages []*running
	failed chan struct{} // closed with the first failure

	mu       sync.Mutex
	failures []error
	alive    []string // parts that have not returned, in the order of their start
}

// running is a stage that was started.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newServing(log *slog.Logger) *serving {
	// Not a child of the caller's context, whose end only begins the stop.
	hard, kill := context.WithCancelCause(context.Background())
	return &serving{log: log, hard: hard, kill: kill, failed: make(chan struct{})}
}

// start runs the parts of a stage on a context that has the values of ctx and
// ends when the stage is told to stop or, at the latest, with the hard stop.
func (s *serving) start(ctx context.Context, stage Stage) {
	values := context.WithValue(context.WithoutCancel(ctx), hardKey{}, s.hard)
	own, cancel := context.WithCancel(Finish(values))
	r := &running{cancel: cancel, done: make(chan struct{})}
	s.stages = append(s.stages, r)
	var parts sync.WaitGroup
	for _, part := range stage {
		s.enter(part.Name)
		parts.Go(func() {
			s.leave(own, part.Name, protect(func() error { return part.Run(own) }))
		})
	}
	go func() { parts.Wait(); close(r.done) }()
}

func (s *serving) enter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = append(s.alive, name)
}

// leave records how a part ended. That its context was cancelled is no failure
// once it was.
func (s *serving) leave(ctx context.Context, name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.alive, name); i >= 0 {
		s.alive = slices.Delete(s.alive, i, i+1)
	}
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		return
	}
	if len(s.failures) == 0 {
		close(s.failed)
	}
	s.failures = append(s.failures, fmt.Errorf("run %s: %w", name, err))
}

// finished returns a channel that is closed when every part has returned.
func (s *serving) finished() <-chan struct{} {
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, r := range s.stages {
			<-r.done
		}
	}()
	return all
}

// stop tells the stages to stop, in order, and waits for each; after limit it
// tells all of them at once.
func (s *serving) stop(limit time.Duration) error {
	hardStop := time.AfterFunc(limit, s.cutOff)
	defer hardStop.Stop()
	abandon := time.NewTimer(limit + unheard)
	defer abandon.Stop()
	for _, r := range s.stages {
		r.cancel()
		select {
		case <-r.done:
		case <-abandon.C:
			return s.result(true)
		}
	}
	return s.result(false)
}

// cutOff is the hard stop.
func (s *serving) cutOff() {
	s.mu.Lock()
	left := strings.Join(s.alive, ", ")
	s.mu.Unlock()
	s.log.WarnContext(s.hard, "cutting off work in flight", "parts", left)
	s.kill(ErrHardStop)
}

// first returns the failure that began the stop.
func (s *serving) first() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[0]
}

// result joins what went wrong.
func (s *serving) result(abandoned bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := slices.Clone(s.failures)
	if cause := context.Cause(s.hard); cause != nil {
		errs = append(errs, cause)
	}
	if abandoned {
		errs = append(errs, fmt.Errorf("gave up waiting for %s", strings.Join(s.alive, ", ")))
	}
	return errors.Join(errs...)
}
