package rabbit

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
)

// Publisher sends messages to RabbitMQ and returns when the broker has confirmed
// them. It is safe for concurrent use. See the package's comment for what becomes
// of a message in every trouble.
type Publisher struct {
	link     *link
	lanes    []*lane
	seed     maphash.Seed
	next     atomic.Uint32 // the lane of the next message without a key
	optional []string
	window   int
	apart    quarantine
	traffic  traffic
	metrics  publisherMetrics
}

type publisherMetrics struct {
	pending   prometheus.Gauge
	published *prometheus.CounterVec // by result
	resent    prometheus.Counter
}

// NewPublisher returns a publisher that connects while Run runs. It never fails
// and needs no server; a configuration that Config.Validate refuses shows in Err and
// is the error of Run.
func NewPublisher(cfg Config, o Options) *Publisher {
	return newPublisher(cfg, "publisher", o, false)
}

func newPublisher(cfg Config, role string, o Options, lazy bool) *Publisher {
	m := newMetrics(o.Registerer)
	p := &Publisher{
		link:     newLink(cfg, role, o, m, lazy),
		seed:     maphash.MakeSeed(),
		optional: slices.Clone(o.Optional),
		window:   max(cfg.Window, 1),
		apart:    newQuarantine(),
		metrics: publisherMetrics{
			pending:   m.pending.WithLabelValues(role),
			published: m.published.MustCurryWith(prometheus.Labels{"connection": role}),
			resent:    m.resent.WithLabelValues(role),
		},
	}
	for range max(cfg.Channels, 1) {
		p.lanes = append(p.lanes, newLane(p.window))
	}
	return p
}

// flushTimeout bounds what Run waits for messages in flight after its end, where
// the hard stop of package lifecycle does not end it sooner.
const flushTimeout = 10 * time.Second

// Run keeps the publisher connected until ctx ends. It then refuses new messages,
// waits for those in flight and disconnects. Call it once.
func (p *Publisher) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(lifecycle.Finish(ctx))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- p.link.run(hard, p.serve) }()
	select {
	case err := <-ended: // a configuration that cannot be used
		return err
	case <-ctx.Done():
	}
	pause(hard, flushTimeout, p.traffic.stop())
	cancel()
	return <-ended
}

// serve has nothing to do: lanes open their channels when they need them.
func (p *Publisher) serve(ctx context.Context, s *session) {
	select {
	case <-s.done:
	case <-ctx.Done():
	}
}

// Err returns why messages cannot be published now, or nil. It is Unavailable while
// the broker cannot be reached or takes no messages because of an alarm.
func (p *Publisher) Err() error {
	if err := p.link.state(); err != nil {
		return err
	}
	return p.link.alarm()
}

// Publish implements message.Publisher. While the broker is away or takes no
// messages it waits for ctx. Errors are Unavailable, which says nothing about
// whether the message was delivered, or Invalid for a message that can never be.
func (p *Publisher) Publish(ctx context.Context, messages ...message.Message) error {
	errs := make([]error, len(messages))
	items := make([]*item, len(messages))
	for n, m := range messages {
		if items[n], errs[n] = newItem(ctx, m); errs[n] == nil {
			items[n].lane = p.laneOf(m.Key)
			items[n].optional = slices.Contains(p.optional, m.To.Name)
		}
	}
	p.send(ctx, slices.DeleteFunc(slices.Clone(items), func(i *item) bool { return i == nil }))
	for n, i := range items {
		if i != nil {
			errs[n] = i.err
		}
	}
	return message.JoinResults(errs)
}

func (p *Publisher) laneOf(key string) int {
	if key == "" {
		return int(p.next.Add(1)) % len(p.lanes)
	}
	return int(maphash.String(p.seed, key) % uint64(len(p.lanes))) //nolint:gosec // below len
}

// send decides every item.
func (p *Publisher) send(ctx context.Context, items []*item) {
	switch {
	case ctx.Err() != nil:
		decideAll(items, fault.Wrap(fault.Unavailable, ctx.Err(), "there was no time to publish the message"))
	case !p.traffic.enter():
		decideAll(items, errStopped)
	default:
		defer p.traffic.leave()
		p.metrics.pending.Add(float64(len(items)))
		p.spread(ctx, items)
		p.metrics.pending.Sub(float64(len(items)))
	}
	for _, i := range items {
		p.metrics.published.WithLabelValues(resultOf(i.err)).Inc()
	}
}

// spread gives each lane its items, all lanes at once.
func (p *Publisher) spread(ctx context.Context, items []*item) {
	if len(items) == 1 {
		p.deliver(ctx, items)
		return
	}
	byLane := make([][]*item, len(p.lanes))
	for _, i := range items {
		byLane[i.lane] = append(byLane[i.lane], i)
	}
	var all sync.WaitGroup
	for _, group := range byLane {
		if len(group) > 0 {
			all.Go(func() { p.deliver(ctx, group) })
		}
	}
	all.Wait()
}

// deliver decides items of one lane: again over each new session until ctx ends, and
// one by one where the broker closes the channel over one of them.
func (p *Publisher) deliver(ctx context.Context, items []*item) {
	suspects, items := p.apart.split(items)
	for len(items) > 0 {
		rest, ended, err := p.lanes[items[0].lane].carry(ctx, p.link, items)
		if err != nil && p.given(ctx, rest, err) {
			break
		}
		if ended != nil && ended.exception() != nil {
			suspects, rest = append(suspects, rest...), nil
		}
		p.metrics.resent.Add(float64(len(rest)))
		items = rest
	}
	p.isolate(ctx, suspects)
}

// given decides what is left when trying again makes no sense. Otherwise it pauses,
// so that a broker that refuses channels is not asked without end.
func (p *Publisher) given(ctx context.Context, rest []*item, err error) bool {
	if ctx.Err() == nil && !errors.Is(err, errStopped) && !fault.Is(err, fault.Invalid) {
		pause(ctx, retryPause, nil)
		return false
	}
	decideAll(rest, fault.Wrap(fault.Unavailable, err, "RabbitMQ did not confirm the message in time"))
	return true
}

// retryPause is the pause after a channel could not be opened on a live connection.
const retryPause = 50 * time.Millisecond

func decideAll(items []*item, err error) {
	for _, i := range items {
		i.decide(err)
	}
}

// The results of the metric.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "confirmed"
	case errors.Is(err, errReturned):
		return "returned"
	case errors.Is(err, errNacked):
		return "nacked"
	case errors.Is(err, errRefused):
		return "refused"
	}
	return "unconfirmed"
}
