package order

import "sync"

// Hints tells watchers that an order may have changed. A hint is a reason to read,
// never a fact: it may come late, twice, for nothing, or not at all. The zero
// value is ready; it is safe for concurrent use.
type Hints struct {
	mu  sync.Mutex
	one map[string]map[chan struct{}]struct{}
	all map[chan struct{}]struct{}
}

// Notify tells the watchers of an order, and those of all orders.
func (h *Hints) Notify(orderID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.one[orderID] {
		poke(c)
	}
	for c := range h.all {
		poke(c)
	}
}

// NotifyAll tells every watcher: hints may have been lost.
func (h *Hints) NotifyAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, watchers := range h.one {
		for c := range watchers {
			poke(c)
		}
	}
	for c := range h.all {
		poke(c)
	}
}

// poke leaves one hint: whoever has not looked at the last one needs no second.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Watch returns a channel that gets a hint when the order may have changed, and a
// function that ends it. An empty id watches all orders. Watch first and read
// afterwards, or the change between the two is seen late.
func (h *Hints) Watch(orderID string) (hints <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if orderID == "" {
		if h.all == nil {
			h.all = map[chan struct{}]struct{}{}
		}
		h.all[c] = struct{}{}
		return c, func() { h.end("", c) }
	}
	if h.one == nil {
		h.one = map[string]map[chan struct{}]struct{}{}
	}
	if h.one[orderID] == nil {
		h.one[orderID] = map[chan struct{}]struct{}{}
	}
	h.one[orderID][c] = struct{}{}
	return c, func() { h.end(orderID, c) }
}

func (h *Hints) end(orderID string, c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if orderID == "" {
		delete(h.all, c)
		return
	}
	delete(h.one[orderID], c)
	if len(h.one[orderID]) == 0 {
		delete(h.one, orderID)
	}
}

// Watchers returns how many watch.
func (h *Hints) Watchers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.all)
	for _, watchers := range h.one {
		n += len(watchers)
	}
	return n
}
