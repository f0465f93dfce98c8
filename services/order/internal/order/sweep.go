package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley.sh/services/order/machine"
)

// Due is an order of which time asks something.
type Due struct {
	ID string
	// Trace is the trace that the order began in.
	Trace string
}

// Clock is a timer of orders.
type Clock string

// The timers.
const (
	ClockDeadline Clock = "deadline"
	ClockAsk      Clock = "ask"
)

// Agenda finds the orders whose time has come. Any number of replicas sweep it.
type Agenda interface {
	// Due returns some of the orders whose clock stands at or before now.
	Due(ctx context.Context, c Clock, now time.Time, limit int) ([]Due, error)
	// UpdateDue is Store.Update for an order whose clock is still due. An order that
	// another transaction holds, or whose clock moved on, is left alone.
	UpdateDue(ctx context.Context, id string, c Clock, now time.Time, decide Decide) (done bool, err error)
}

// batch is how many due orders are fetched at once.
const batch = 100

// Sweep acts on every order whose deadline, or time to be asked again, has come,
// and returns how many there were. An order that fails does not hold up the
// others.
func (s *Service) Sweep(ctx context.Context, a Agenda, c Clock, resume Resume) (int, error) {
	now := s.now()
	due, err := a.Due(ctx, c, now, batch)
	if err != nil {
		return 0, fmt.Errorf("find orders with a due %s: %w", c, err)
	}
	swept, errs := 0, []error(nil)
	for _, d := range due {
		done, err := s.sweepOne(ctx, a, c, d, resume)
		if err != nil {
			errs = append(errs, fmt.Errorf("act on the %s of order %s: %w", c, d.ID, err))
		}
		if done {
			swept++
		}
	}
	return swept, errors.Join(errs...)
}

// Resume returns ctx in a span of the order's own trace, and how to end it.
type Resume func(ctx context.Context, name, trace string) (context.Context, func())

func (s *Service) sweepOne(ctx context.Context, a Agenda, c Clock, d Due, resume Resume) (bool, error) {
	ctx, end := resume(ctx, "order "+string(c), d.Trace)
	defer end()
	decide := s.deadline
	if c == ClockAsk {
		decide = s.askAgain
	}
	var made Change
	done, err := a.UpdateDue(ctx, d.ID, c, s.now(), func(o Order) (Change, error) {
		made = decide(o)
		return made, nil
	})
	if done && err == nil {
		s.count(ctx, c, made)
	}
	return done, err
}

func (s *Service) count(ctx context.Context, c Clock, made Change) {
	if made.Alert {
		s.meter.Alerted(ctx, made.Order.ID)
	}
	for _, w := range made.Work {
		if c == ClockAsk || made.Alert {
			s.meter.AskedAgain(w)
		}
	}
}

// deadline acts as the passing of the time does, and sets the next one while the
// order is not terminal: a cancelling order alerts at every one.
func (s *Service) deadline(o Order) Change {
	at := s.now()
	c := o.change(machine.OnDeadline(o.Progress), at, s.timing)
	if !c.Order.Progress.State.Terminal() {
		c.Order.DeadlineAt = at.Add(s.timing.Deadline)
	}
	return c
}

// askAgain repeats the work whose leg is open, later each time.
func (s *Service) askAgain(o Order) Change {
	at := s.now()
	o.Asked++
	o.AskAt = at.Add(s.timing.pause(o.Asked))
	return Change{Order: o, At: at, Work: machine.AskAgain(o.Progress)}
}
