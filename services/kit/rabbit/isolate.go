package rabbit

import (
	"context"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
)

const (
	// maxApart bounds the channels on which suspects are tried at once.
	maxApart = 4
	// maxNames bounds the exchanges that are remembered as being at fault.
	maxNames = 64
)

// quarantine is where messages go after the broker closed a channel over one of
// them: to a channel of their own, and with them, until one is taken, whatever is for
// an exchange that was at fault. The channels that others share stay open then.
type quarantine struct {
	turns chan struct{}
	mu    *sync.Mutex
	names []string
}

func newQuarantine() quarantine {
	return quarantine{turns: make(chan struct{}, maxApart), mu: &sync.Mutex{}}
}

// split takes out the items of exchanges that are known to be at fault.
func (q *quarantine) split(items []*item) (suspects, rest []*item) {
	q.mu.Lock()
	names := q.names
	q.mu.Unlock()
	if len(names) == 0 {
		return nil, items
	}
	for _, i := range items {
		if slices.Contains(names, i.exchange) {
			suspects = append(suspects, i)
		} else {
			rest = append(rest, i)
		}
	}
	return suspects, rest
}

// put remembers an exchange, and forgets the one known longest if there are many.
func (q *quarantine) put(exchange string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.Contains(q.names, exchange) {
		return
	}
	names := append(slices.Clone(q.names), exchange)
	q.names = names[max(len(names)-maxNames, 0):]
}

// release forgets an exchange that takes messages again.
func (q *quarantine) release(exchange string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.names = slices.DeleteFunc(slices.Clone(q.names), func(name string) bool { return name == exchange })
}

// isolate decides items among which there may be one over which the broker closes
// the channel. It halves them until that one is alone, in order, so that what comes
// after it is sent after it.
func (p *Publisher) isolate(ctx context.Context, items []*item) {
	for len(items) > 0 {
		rest, ended, err := p.tryApart(ctx, items)
		p.acquit(items)
		if err != nil && p.given(ctx, rest, err) {
			return
		}
		var e *amqp.Error
		if ended != nil {
			e = ended.exception()
		}
		switch {
		case e == nil:
			p.metrics.resent.Add(float64(len(rest)))
			items = rest
		case len(rest) == 1:
			p.convict(rest[0], e)
			return
		default:
			p.isolate(ctx, rest[:len(rest)/2])
			items = rest[len(rest)/2:]
		}
	}
}

// tryApart sends items over a channel of their own.
func (p *Publisher) tryApart(ctx context.Context, items []*item) (rest []*item, ended *outlet, err error) {
	select {
	case p.apart.turns <- struct{}{}:
		defer func() { <-p.apart.turns }()
	case <-ctx.Done():
		return items, nil, ctx.Err()
	}
	s, err := p.link.wait(ctx)
	if err != nil {
		return items, nil, err
	}
	window := min(p.window, len(items))
	o, err := openOutlet(ctx, s, window)
	if err != nil {
		return items, nil, err
	}
	defer s.detach(o.close)
	t := transfer{outlet: o, slots: make(chan struct{}, window), items: items}
	return t.outcome(ctx, t.write(ctx))
}

// acquit releases the exchanges that took one of the items.
func (p *Publisher) acquit(items []*item) {
	for _, i := range items {
		if i.decided && i.err == nil {
			p.apart.release(i.exchange)
		}
	}
}

// convict decides the item over which the broker closed the channel. A message that
// is refused for good says nothing about its exchange.
func (p *Publisher) convict(i *item, e *amqp.Error) {
	err := refusal(e)
	if !fault.Is(err, fault.Invalid) {
		p.apart.put(i.exchange)
	}
	i.decide(err)
}
