package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

const (
	// statsInterval is how often the backlog is counted.
	statsInterval = 5 * time.Second
	// reopenMax is the longest pause before a lost session is replaced.
	reopenMax = 2 * time.Second
)

// Relay publishes what the outbox holds. Run one in every replica: they share out
// the work. Make it with NewRelay.
type Relay struct {
	db         *postgres.DB
	cfg        Config
	publishers map[message.Broker]message.Publisher
	log        *slog.Logger
	metrics    *metrics
	timing     timing
	id         string        // names the relay to those of other replicas
	wake       chan struct{} // holds a token when this process committed rows
	heard      chan struct{} // holds a token when another replica says that it did
}

// NewRelay returns a relay of the outbox in db, which connects to nothing before
// Run. Rows of a broker that publishers does not name wait, and raise warnings.
func NewRelay(db *postgres.DB, cfg Config, publishers map[message.Broker]message.Publisher, opts Options) *Relay {
	r := &Relay{
		db: db, cfg: cfg, publishers: publishers, log: opts.Log,
		metrics: newMetrics(opts.Registerer),
		timing:  defaultTiming(),
		id:      rand.Text(),
		wake:    make(chan struct{}, 1),
		heard:   make(chan struct{}, 1),
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r
}

// Wake says that rows were committed, so that they are sent at once. Call it after
// the commit; a forgotten Wake costs a pause of PollMax at most. It never blocks and is
// safe for concurrent use.
func (r *Relay) Wake() { signal(r.wake) }

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends. It then finishes what is in flight, on
// lifecycle.Finish(ctx), deletes what was confirmed, lets go of its shards and returns
// nil. It never returns before: a database that is away is waited for. The
// schema must be migrated: see postgres.DB.After.
func (r *Relay) Run(ctx context.Context) error {
	s, err := newStore(ctx, r.db)
	if err != nil {
		return err
	}
	defer s.close()
	failures, said := 0, time.Time{}
	for ctx.Err() == nil {
		start := time.Now()
		err := r.hold(ctx, s)
		if err == nil || ctx.Err() != nil {
			break
		}
		r.metrics.lost.Inc()
		if time.Since(start) > reopenMax {
			failures = 0
		}
		if failures++; failures == 1 || time.Since(said) >= sayEvery {
			said = time.Now()
			r.log.WarnContext(ctx, "outbox shards not held", "err", err)
		}
		sleep(ctx, backoff(failures, r.cfg.RetryMin, reopenMax))
	}
	return nil
}

func sleep(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// errStopped ends the session once the work is done.
var errStopped = errors.New("the relay has stopped")

// hold relays over one session, until ctx ends or the session is lost.
func (r *Relay) hold(ctx context.Context, store *store) error {
	work, end := context.WithCancelCause(lifecycle.Finish(ctx))
	defer end(nil)
	s := &session{
		tenure: newTenure(time.Now()),
		timing: r.timing,
		log:    r.log,
		gauge:  func(n int) { r.metrics.shards.Set(float64(n)) },
		id:     r.id,
		woken:  func() { signal(r.heard) },
	}
	if err := s.connect(ctx, r.db.Config().ConnConfig); err != nil {
		return err
	}
	defer s.close(work)
	var beside sync.WaitGroup
	beside.Go(func() { end(s.keep(work)) })
	beside.Go(func() { r.count(work, store, s.tenure) })
	newConductor(r, store, s.tenure).run(ctx, work)
	end(errStopped)
	beside.Wait()
	if cause := context.Cause(work); !errors.Is(cause, errStopped) {
		return fmt.Errorf("hold the outbox's shards: %w", cause)
	}
	return nil
}

// count shows the backlog until work ends.
func (r *Relay) count(work context.Context, store *store, t *tenure) {
	seen := map[destination]bool{}
	for work.Err() == nil {
		sleep(work, statsInterval)
		ctx, cancel := context.WithTimeout(work, storeTimeout)
		waiting, refused, err := store.pending(ctx, t.shards())
		cancel()
		switch {
		case err == nil:
			r.metrics.waiting(waiting, seen)
			r.metrics.aside.Set(float64(refused))
		case work.Err() == nil:
			r.log.WarnContext(work, "outbox not counted", "err", err)
		}
	}
	r.metrics.waiting(nil, seen)
}
