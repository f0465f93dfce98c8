package kafka

import "sync"

// claims are the partitions that a consumer has now.
type claims struct {
	mu  sync.Mutex
	all map[place]*claim
}

func newClaims() *claims { return &claims{all: map[place]*claim{}} }

func (c *claims) add(one *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[one.place] = one
	one.work.claims.Store(int32(len(c.all))) //nolint:gosec // partitions of one member
}

func (c *claims) remove(one *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all[one.place] == one {
		delete(c.all, one.place)
	}
	one.work.claims.Store(int32(len(c.all))) //nolint:gosec // partitions of one member
}

func (c *claims) list() []*claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*claim, 0, len(c.all))
	for _, one := range c.all {
		list = append(list, one)
	}
	return list
}
