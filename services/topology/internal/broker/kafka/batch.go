package kafka

import (
	"context"
	"errors"
	"fmt"
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
// it is refused as a whole.
func (s *Session) batch(ctx context.Context, items []*item, request send) {
	for try := 1; len(items) > 0; try++ {
		throttle := s.once(ctx, items, request)
		s.halve(ctx, items, request)
		if try > 1 && len(items) == 1 && errors.Is(items[0].err, errClosed) {
			items[0].err = fault.New(fault.Invalid, "the broker closes the connection on it, again and again: "+
				"a name or a value is too long or malformed; correct spec")
			return
		}
		items = slices.Collect(filter(items, postponed))
		if len(items) == 0 || try == s.limits.tries || !sleep(ctx, max(throttle, s.limits.pause<<(try-1))) {
			return
		}
	}
}

// halve sends again, in two requests, those that were refused because of their
// company.
func (s *Session) halve(ctx context.Context, items []*item, request send) {
	if len(items) == 1 {
		return
	}
	crowded := slices.Collect(filter(items, tooMuch))
	for half := range slices.Chunk(crowded, max(1, (len(crowded)+1)/2)) {
		s.batch(ctx, half, request)
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
		setAll(items, closed(err))
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

// errClosed is the error of a request during which the connection was lost: the
// broker went, or closed it because something inside is malformed.
var errClosed = errors.New("the connection was lost")

func closed(err error) error {
	return fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", errClosed, err),
		"the broker did not answer: apply again when it is well")
}

// tooMuch is how a request is refused as a whole: by a policy violation of all that
// is in it when it is too large, by a closed connection when something in it is
// malformed. One topic of it alone may be fine.
func tooMuch(err error) bool {
	return errors.Is(err, sarama.ErrPolicyViolation) || errors.Is(err, errClosed)
}

// postponed is what the broker may take when it is asked again.
func postponed(err error) bool {
	return errors.Is(err, sarama.ErrNotController) || errors.Is(err, sarama.ErrThrottlingQuotaExceeded) ||
		errors.Is(err, sarama.ErrRequestTimedOut) || errors.Is(err, errClosed)
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
