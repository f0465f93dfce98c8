package world

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Options are how the world behaves.
type Options struct {
	// Path is the file of its state; it is made if it is not there.
	Path string
	// Slow is the delay of slow and late tokens.
	Slow time.Duration
	// Latency is added to every request; zero adds none.
	Latency time.Duration
	// Log hears of defects. Nil is silent.
	Log *slog.Logger
}

// World is the provider and the carrier. It is safe for concurrent use. Run must run
// for it to answer.
type World struct {
	opts  Options
	store *store

	mu   sync.Mutex
	work map[string]chan struct{} // by id of the key: closed when its work is done
	jobs sync.WaitGroup
	ctx  context.Context // the life of the world, which its jobs share
	end  context.CancelFunc
}

// Open opens the state.
func Open(opts Options) (*World, error) {
	s, err := openStore(opts.Path)
	if err != nil {
		return nil, err
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{opts: opts, store: s, work: map[string]chan struct{}{}}
	w.ctx, w.end = context.WithCancel(context.Background())
	return w, nil
}

// Run writes until ctx ends, then closes the state. Work that is due later is kept
// and done by the next Run on the same file. It must be called exactly once.
func (w *World) Run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var writer sync.WaitGroup
	writer.Go(func() { w.store.run(writing) })
	err := w.resume()
	if err == nil {
		<-ctx.Done()
	}
	w.mu.Lock()
	w.end() // under the lock: no job starts once the wait has begun
	w.mu.Unlock()
	w.jobs.Wait() // they may be in the middle of a change, so the writer goes last
	stop()
	writer.Wait()
	if closed := w.store.close(); err == nil {
		err = closed
	}
	return err
}

// resume schedules the work that was accepted before.
func (w *World) resume() error {
	err := w.store.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketDue).ForEach(func(id, _ []byte) error {
			var r record
			known, err := get(tx, bucketKeys, id, &r)
			if err == nil && known {
				w.schedule(string(id), r.Due)
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("resume accepted work: %w", err)
	}
	return nil
}

// perform carries out one request. It returns an error only when nothing can be
// said: the caller went away, the world stopped, or the disk failed.
func (w *World) perform(ctx context.Context, op operation) (a answer, replayed bool, err error) {
	v, err := w.ask(op)
	if err != nil {
		return answer{}, false, err
	}
	if v.hold {
		return v.answer, false, pause(ctx, w.opts.Slow)
	}
	if v.due.IsZero() {
		return v.answer, v.replayed, nil
	}
	own := v.accepted
	if err := w.await(ctx, w.schedule(string(op.id()), v.due)); err != nil {
		return answer{}, false, err
	}
	v, err = w.ask(op)
	return v.answer, !own, err
}

// ask lets the writer decide about a request.
func (w *World) ask(op operation) (v verdict, err error) {
	failed := w.store.change(func(tx *bbolt.Tx) error {
		v, err = w.decide(tx, op)
		return err
	})
	return v, failed
}

// await returns when the work is done.
func (w *World) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-w.ctx.Done():
		return errStopped
	case <-ctx.Done():
		return fmt.Errorf("wait for the work of a key: %w", ctx.Err())
	}
}

// schedule returns the channel that is closed when the work of id is done, and
// starts the job that does it unless there is one.
func (w *World) schedule(id string, due time.Time) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if done, ok := w.work[id]; ok {
		return done
	}
	done := make(chan struct{})
	if w.ctx.Err() != nil {
		return done // never: the next Run does it
	}
	w.work[id] = done
	w.jobs.Go(func() { w.job(id, due, done) })
	return done
}

// job does accepted work when it is due. It does not depend on any caller.
func (w *World) job(id string, due time.Time, done chan<- struct{}) {
	for wait := time.Until(due); ; wait = time.Second {
		if pause(w.ctx, wait) != nil {
			return
		}
		err := w.store.change(func(tx *bbolt.Tx) error { return w.settle(tx, id) })
		if err == nil {
			break
		}
		w.opts.Log.ErrorContext(w.ctx, "accepted work not done", "key", id, "err", err)
	}
	w.mu.Lock()
	delete(w.work, id)
	w.mu.Unlock()
	close(done)
}

// settle does the work of a key, in the writer. Doing it again does nothing.
func (w *World) settle(tx *bbolt.Tx, id string) error {
	var r record
	known, err := get(tx, bucketKeys, []byte(id), &r)
	if err != nil || !known || r.Answer != nil {
		return err
	}
	op := *r.Operation
	op.key = r.Key
	if _, err := w.do(tx, op, r); err != nil {
		return err
	}
	if err := tx.Bucket(bucketDue).Delete([]byte(id)); err != nil {
		return fmt.Errorf("clear %s: %w", id, err)
	}
	return nil
}

// pause returns early, with an error, when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pause: %w", ctx.Err())
	}
}
