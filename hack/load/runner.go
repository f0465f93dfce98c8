package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"parley.sh/hack/load/journal"
)

// order is what the load sees of one order.
type order struct {
	plan     journal.Plan
	id       string
	status   int
	began    time.Time
	answered time.Duration
	terminal time.Duration
	settled  time.Duration
	end      string
}

// runner places orders and follows them.
type runner struct {
	o       options
	journal *journal.Journal
	urls    []string
	http    *http.Client
	plans   []plan

	mu     sync.Mutex
	seen   map[string]*order // by order id
	orders []*order
	failed error
	start  time.Time
	took   time.Duration
	turn   int
}

// run places every plan at its time and waits until all that was accepted is
// settled, or the time for it is up.
func (r *runner) run(ctx context.Context) error {
	following, stop := context.WithCancel(ctx)
	var followers sync.WaitGroup
	followers.Go(func() { r.follow(following) })
	followers.Go(func() { r.progress(following) })
	defer followers.Wait()
	defer stop()

	r.start = time.Now()
	r.placeAll(ctx)
	if err := r.failure(); err != nil {
		return err
	}
	r.awaitSettled(ctx)
	return ctx.Err()
}

// placeAll is an open loop: an order is placed at its time, whatever became of the
// ones before.
func (r *runner) placeAll(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	gap := time.Duration(float64(time.Second) / r.o.rate)
	due := time.Now()
	for _, p := range r.plans {
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		due = due.Add(gap)
		if r.failure() != nil {
			return
		}
		wg.Go(func() { r.carryOut(ctx, p) })
	}
}

// carryOut places one order and, if its plan says so, cancels it.
func (r *runner) carryOut(ctx context.Context, p plan) {
	o := &order{plan: p.Plan, began: time.Now()}
	r.mu.Lock()
	r.orders = append(r.orders, o)
	r.mu.Unlock()
	if !p.placing {
		if !r.write(journal.Line{
			Kind: journal.Placing, Key: p.Key, Customer: p.Customer, Plan: p.Plan, Items: p.Items,
			Token: p.Token, Level: p.Level, Address: p.Address,
		}) {
			return
		}
	}
	if p.placed {
		r.accept(o, p.Status, p.OrderID)
		return
	}
	status, id, ok := r.placeUntilAnswered(ctx, p)
	if !ok || !r.write(journal.Line{Kind: journal.Placed, Key: p.Key, Customer: p.Customer, Status: status, OrderID: id}) {
		return
	}
	r.accept(o, status, id)
	if id != "" && (p.Plan == journal.CancelledSoon || p.Plan == journal.CancelledLate) {
		r.cancel(ctx, p, id)
	}
}

// accept notes the answer, and what the stream said of the order before it came.
func (r *runner) accept(o *order, status int, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.status, o.id, o.answered = status, id, time.Since(o.began)
	if id == "" {
		return
	}
	if early := r.seen[id]; early != nil && early.id == "" {
		o.end = early.end
		if !early.began.IsZero() && early.terminal > 0 {
			o.terminal = early.began.Add(early.terminal).Sub(o.began)
		}
		if early.settled > 0 {
			o.settled = early.began.Add(early.settled).Sub(o.began)
		}
	}
	r.seen[id] = o
}

// write appends to the journal; if it cannot, the whole load ends: what the journal
// does not have must not be sent.
func (r *runner) write(l journal.Line) bool {
	l.At = time.Now().UTC()
	if err := r.journal.Append(l); err != nil {
		r.fail(err)
		return false
	}
	return true
}

func (r *runner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

func (r *runner) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// cancel asks to cancel an order: at once, or when it may be on its way already.
func (r *runner) cancel(ctx context.Context, p plan, id string) {
	if p.Plan == journal.CancelledLate {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rand.IntN(600)) * time.Millisecond):
		}
	}
	if !r.write(journal.Line{Kind: journal.Cancelling, Key: p.Key, Customer: p.Customer, OrderID: id}) {
		return
	}
	if status, ok := r.cancelUntilAnswered(ctx, id); ok {
		r.write(journal.Line{Kind: journal.Cancelled, Key: p.Key, Customer: p.Customer, OrderID: id, Status: status})
	}
}

// url returns the address of one replica after the other.
func (r *runner) url() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn++
	return r.urls[r.turn%len(r.urls)]
}

// awaitSettled waits until the stream has told of every accepted order's end, asking
// for the rest from time to time.
func (r *runner) awaitSettled(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.o.settle)
	defer cancel()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for round := 1; ; round++ {
		open := r.open()
		if len(open) == 0 || ctx.Err() != nil {
			r.took = time.Since(r.start)
			return
		}
		if round%6 == 0 {
			r.ask(ctx, open)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// open lists the accepted orders that are not known to be settled.
func (r *runner) open() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, o := range r.orders {
		if o.id != "" && o.settled == 0 {
			ids = append(ids, o.id)
		}
	}
	return ids
}

// verdict is an error when an order was not answered or not settled.
func (r *runner) verdict() error {
	unanswered := 0
	for _, o := range r.orders {
		if o.status == 0 {
			unanswered++
		}
	}
	if open := r.open(); len(open) > 0 || unanswered > 0 {
		return fmt.Errorf("%d orders have no answer and %d are not settled: %v", unanswered, len(open), open[:min(5, len(open))])
	}
	return nil
}
