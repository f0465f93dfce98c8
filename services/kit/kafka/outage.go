package kafka

import (
	"sync"
	"time"
)

// outage holds messages back while no broker answers. Given to sarama they would
// only fail, and keep its breakers open for ten seconds beyond the outage.
type outage struct {
	jobs sync.WaitGroup

	mu      sync.Mutex
	looking bool
	// ended is closed when the outage is over; nil while there is none.
	ended chan struct{}
}

// closedChannel stands for no outage.
var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// over returns a channel that is closed unless there is an outage, or once it ends.
func (o *outage) over() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended == nil {
		return closedChannel
	}
	return o.ended
}

// suspect finds out by ask, in the background, whether any broker answers, and
// calls recovered if none did and one does. It gives up when closing is closed.
func (o *outage) suspect(closing <-chan struct{}, ask func() error, recovered func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.looking {
		return
	}
	o.looking = true
	o.jobs.Go(func() {
		if unreachable(ask()) {
			o.begin()
			if insist(closing, ask) {
				recovered()
			}
		}
		o.end()
	})
}

// insist asks until somebody answers; false if it gave up.
func insist(closing <-chan struct{}, ask func() error) bool {
	for attempt := 1; ; attempt++ {
		select {
		case <-closing:
			return false
		case <-time.After(produceBackoff(attempt, 0)):
		}
		if !unreachable(ask()) {
			return true
		}
	}
}

func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = make(chan struct{})
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.looking = false
	if o.ended != nil {
		close(o.ended)
		o.ended = nil
	}
}
