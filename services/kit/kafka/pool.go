package kafka

import "sync"

// pool is the bounded workers of one consumer. Lanes that have something to do
// queue up and are served in turn, one message a turn, so that a busy key takes
// no more than its share. A worker lives as long as there is work.
type pool struct {
	limit int
	wait  sync.WaitGroup

	mu      sync.Mutex
	ready   []*lane
	head    int
	running int
}

func newPool(limit int) *pool { return &pool{limit: limit} }

// push queues a lane. A lane is in the queue at most once.
func (p *pool) push(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, l)
	if p.running < p.limit {
		p.running++
		p.wait.Go(p.work)
	}
}

func (p *pool) work() {
	for l := p.next(); l != nil; l = p.next() {
		l.claim.serve(l)
	}
}

// next takes the first lane, or ends the worker.
func (p *pool) next() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head == len(p.ready) {
		p.ready, p.head = p.ready[:0], 0
		p.running--
		return nil
	}
	l := p.ready[p.head]
	p.ready[p.head] = nil
	p.head++
	if p.head > 1024 && p.head > len(p.ready)/2 {
		p.ready = p.ready[:copy(p.ready, p.ready[p.head:])]
		p.head = 0
	}
	return l
}
