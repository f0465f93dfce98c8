package order

import (
	"time"

	"parley.sh/services/order/machine"
)

// Timing holds the intervals by which time asks.
type Timing struct {
	// Deadline is how long an order may take to become terminal.
	Deadline time.Duration
	// AskAfter is how long a leg may stay open before it is asked again; the pause
	// doubles with every time until AskCap.
	AskAfter time.Duration
	AskCap   time.Duration
}

// pause returns how long to wait after a leg was asked n times again.
func (t Timing) pause(n int) time.Duration {
	p := t.AskAfter
	for range n {
		if p >= t.AskCap/2 {
			return t.AskCap
		}
		p *= 2
	}
	return min(p, t.AskCap)
}

// timed sets the timers of o, which was in before until now. A change of state
// starts the asking anew; a fact about a leg leaves the timers as they are, unless
// it was the last one.
func (o Order) timed(before machine.Order, at time.Time, t Timing) Order {
	if o.Progress.State.Terminal() {
		o.DeadlineAt = time.Time{}
	}
	if len(machine.AskAgain(o.Progress)) == 0 {
		o.AskAt, o.Asked = time.Time{}, 0
		return o
	}
	if o.Progress.State != before.State {
		o.AskAt, o.Asked = at.Add(t.pause(0)), 0
	}
	return o
}
