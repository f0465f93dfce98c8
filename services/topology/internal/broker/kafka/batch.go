package kafka

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// limits are what one request may hold.
type limits struct {
	// names of topics in a request that reads.
	names int
	// weight of a request that writes: topics, partitions and config values.
	weight int
	// tries of what a broker puts off.
	tries int
	pause time.Duration
}

var defaultLimits = limits{names: 1000, weight: 8000, tries: 6, pause: 200 * time.Millisecond}

// item is one step of a batch.
type item struct {
	step   plan.Step
	weight int
	err    error
}

// send puts the items of one request to the broker. It returns an answer for each
// item, by topic, and how long the broker asks to be left alone; an error is that
// of the request as a whole.
type send func(b *sarama.Broker, items []*item) (map[string]error, time.Duration, error)

// batches sends all items in requests that are not too heavy, and leaves in each
// its error.
func (s *Session) batches(ctx context.Context, items []*item, request send) {
	for len(items) > 0 {
		n := fit(items, s.limits.weight)
		s.batch(ctx, items[:n], request)
		items = items[n:]
	}
}

// fit counts the first items that fit in a request: one at least.
func fit(items []*item, weight int) int {
	total := 0
	for i, x := range items {
		if total += x.weight; total > weight && i > 0 {
			return i
		}
	}
	return len(items)
}

// batch sends one request, again while the broker puts it off, and in halves when
// it is refused for its size.
func (s *Session) batch(ctx context.Context, items []*item, request send) {
	for try := 1; len(items) > 0; try++ {
		throttle := s.once(ctx, items, request)
		crowded := slices.Collect(filter(items, func(err error) bool { return tooMuch(err) && len(items) > 1 }))
		if len(crowded) > 0 {
			half := len(crowded) / 2
			s.batch(ctx, crowded[:half], request)
			s.batch(ctx, crowded[half:], request)
		}
		items = slices.Collect(filter(items, postponed))
		if len(items) == 0 || try == s.limits.tries || !sleep(ctx, max(throttle, s.limits.pause<<(try-1))) {
			return
		}
	}
}

func filter(items []*item, keep func(error) bool) func(func(*item) bool) {
	return func(yield func(*item) bool) {
		for _, x := range items {
			if keep(x.err) && !yield(x) {
				return
			}
		}
	}
}

// once sends one request and records what came of each item.
func (s *Session) once(ctx context.Context, items []*item, request send) time.Duration {
	b, err := s.controller(ctx, items[0].step.ID.Name)
	if err != nil {
		setAll(items, err)
		return 0
	}
	answers, throttle, err := request(b, items)
	if err != nil {
		s.reset()
		setAll(items, s.unreachable(err))
		return 0
	}
	moved := false
	for _, x := range items {
		answer, told := answers[x.step.ID.Name]
		if !told {
			answer = fault.New(fault.Unavailable, "the broker did not answer for it: apply again")
		}
		x.err = answer
		moved = moved || errors.Is(answer, sarama.ErrNotController)
	}
	if moved {
		s.reset()
	}
	return throttle
}

func setAll(items []*item, err error) {
	for _, x := range items {
		x.err = err
	}
}

// tooMuch is how a controller refuses a request for its size: a policy violation
// of all that is in it, which one alone may not have.
func tooMuch(err error) bool { return errors.Is(err, sarama.ErrPolicyViolation) }

// postponed is what a broker says that would take it later.
func postponed(err error) bool {
	return errors.Is(err, sarama.ErrNotController) || errors.Is(err, sarama.ErrThrottlingQuotaExceeded) ||
		errors.Is(err, sarama.ErrRequestTimedOut)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
