package rabbit

import "sync"

// traffic counts the calls that are in progress, so that they can finish before
// what they use is closed. The zero value is open.
type traffic struct {
	mu      sync.Mutex
	n       int
	stopped bool
	quiet   chan struct{} // closed when stopped and n is 0
}

// enter reports whether a call may begin.
func (t *traffic) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return false
	}
	t.n++
	return true
}

func (t *traffic) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.stopped && t.n == 0 {
		close(t.quiet)
	}
}

// stop lets no call begin any more. What it returns is closed when none is in
// progress.
func (t *traffic) stop() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.quiet = make(chan struct{})
	if t.n == 0 {
		close(t.quiet)
	}
	return t.quiet
}
