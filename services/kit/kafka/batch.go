package kafka

import (
	"context"
	"sync/atomic"
)

// batch is the records of one Publish and their results. Its caller may leave
// before all of them are settled: results that come later find nobody.
type batch struct {
	out     []outgoing
	pending atomic.Int64
	done    chan struct{}
}

func newBatch(n int) *batch {
	b := &batch{out: make([]outgoing, n), done: make(chan struct{})}
	b.pending.Store(int64(n))
	for i := range b.out {
		b.out[i].batch = b
	}
	return b
}

// settle records the result of one record, once.
func (o *outgoing) settle(err error) {
	o.err = err
	o.settled.Store(true)
	if o.batch.pending.Add(-1) == 0 {
		close(o.batch.done)
	}
}

// wait returns when every record is settled or ctx has ended.
func (b *batch) wait(ctx context.Context) {
	select {
	case <-b.done:
	case <-ctx.Done():
	}
}

// results returns each record's result; one that is not settled failed with ctx,
// and may yet reach the broker.
func (b *batch) results(ctx context.Context) []error {
	errs := make([]error, len(b.out))
	for i := range b.out {
		if b.out[i].settled.Load() {
			errs[i] = b.out[i].err
		} else {
			errs[i] = context.Cause(ctx)
		}
	}
	return errs
}
