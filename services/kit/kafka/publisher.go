package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// Publisher sends messages to Kafka and returns when all in-sync replicas have
// them. It is safe for concurrent use. See NewPublisher.
type Publisher struct {
	cfg     Config
	log     *slog.Logger
	metrics *publisherMetrics
	state   *state
	// alone sends each record in a request of its own.
	alone bool
	// down keeps the hot path from asking state after every confirmation.
	down   atomic.Bool
	outage outage

	begin   sync.Once
	ready   chan struct{}
	closing chan struct{}
	stopped chan struct{}

	mu     sync.Mutex
	main   *producer
	single *producer
	closed bool
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher returns a publisher that connects in the background from its first
// use on, trying until it succeeds, and reconnects by itself. It never fails and
// needs no server. Run or Close must end it.
func NewPublisher(cfg Config, o Options) *Publisher { return newPublisher(cfg, o, "publisher") }

// newLetterPublisher returns a publisher of dead letters: one record a request, as
// large as the broker takes.
func newLetterPublisher(cfg Config, o Options, group string) *Publisher {
	cfg.MaxMessageBytes = maxLetterBytes
	p := newPublisher(cfg, o, "dead-letters:"+group)
	p.alone = true
	return p
}

// maxLetterBytes is beyond what any broker takes.
const maxLetterBytes = 64 << 20

func newPublisher(cfg Config, o Options, name string) *Publisher {
	o = o.withDefaults()
	log := o.Log.With(slog.String("client", name))
	p := &Publisher{
		cfg:     cfg.withDefaults(),
		log:     log,
		metrics: newPublisherMetrics(o.Registerer),
		state:   newState(log, connected(o.Registerer, name)),
		ready:   make(chan struct{}),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	p.down.Store(true)
	return p
}

// Run connects, keeps the publisher until ctx ends, and closes it.
func (p *Publisher) Run(ctx context.Context) error {
	p.start()
	<-ctx.Done()
	return p.Close()
}

// Close delivers what is in flight, for about ten seconds if the broker is away,
// and disconnects. Publish fails from now on. Calling it twice does no harm.
func (p *Publisher) Close() error {
	p.begin.Do(func() { close(p.stopped) }) // never started
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	<-p.stopped
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, open := range []*producer{p.main, p.single} {
		if open != nil {
			errs = append(errs, open.close())
		}
	}
	p.outage.jobs.Wait()
	p.state.close()
	return errors.Join(errs...)
}

// Err returns why the publisher does not stand with its brokers, or nil.
func (p *Publisher) Err() error { return p.state.get() }

// Publish implements message.Publisher. A failed message is Invalid if it is
// refused for good (too large, not a valid event, no legal topic), whatever shared
// a request with it; anything else, a missing topic too, is Unavailable. While no
// broker answers Publish waits as long as ctx lets it. A message that was not
// confirmed when ctx ended may reach the broker later. Messages of one key share a
// partition.
func (p *Publisher) Publish(ctx context.Context, messages ...message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	start := time.Now()
	b := p.encode(messages)
	errs := p.deliver(ctx, b)
	for i, err := range errs {
		errs[i] = classify(err)
	}
	p.metrics.observe(messages, errs, time.Since(start))
	return message.JoinResults(errs)
}

// encode makes the records; what cannot be sent is settled at once.
func (p *Publisher) encode(messages []message.Message) *batch {
	b := newBatch(len(messages))
	a := make(arena, 0, arenaSize(messages))
	for i := range messages {
		o := &b.out[i]
		if err := check(&messages[i]); err != nil {
			o.settle(err)
			continue
		}
		o.encode(&messages[i], &a)
		p.checkSize(o)
	}
	return b
}

func check(m *message.Message) error {
	if m.To.Broker != message.Kafka || !legalTopic(m.To.Name) {
		return fault.New(fault.Invalid, "the address names no Kafka topic")
	}
	return m.Validate()
}

func (p *Publisher) checkSize(o *outgoing) {
	if o.record.ByteSize(recordVersion) > p.cfg.MaxMessageBytes {
		o.settle(fault.Newf(fault.Invalid, "the message is larger than %d bytes", p.cfg.MaxMessageBytes))
	}
}

// recordVersion is the format of records whose size counts: with headers.
const recordVersion = 2

// deliver sends a batch and returns its results.
func (p *Publisher) deliver(ctx context.Context, b *batch) []error {
	main, err := p.connection(ctx)
	if err != nil {
		errs := b.results(ctx)
		for i := range errs {
			if !b.out[i].settled.Load() {
				errs[i] = err
			}
		}
		return errs
	}
	main.send(ctx, b)
	errs := b.results(ctx)
	if !p.alone {
		p.resolve(ctx, b, errs)
	}
	return errs
}

// connection waits for the producer.
func (p *Publisher) connection(ctx context.Context) (*producer, error) {
	p.start()
	for _, wait := range []<-chan struct{}{p.ready, p.outage.over()} {
		select {
		case <-wait:
			continue
		default:
		}
		select {
		case <-wait:
		case <-p.closing:
			return nil, errClosed
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), p.Err())
		}
	}
	return p.main, nil
}

func (p *Publisher) start() {
	p.begin.Do(func() { go p.connect() })
}

// connect tries until it has a producer or the publisher is closed.
func (p *Publisher) connect() {
	defer close(p.stopped)
	for attempt := 1; ; attempt++ {
		opened, err := openProducer(p.cfg, p.alone, p.settled)
		if err == nil {
			p.main = opened
			p.settled("", nil)
			close(p.ready)
			return
		}
		p.state.set(err)
		select {
		case <-p.closing:
			return
		case <-time.After(produceBackoff(attempt, 0)):
		}
	}
}

// settled follows what the brokers answer. A refusal is an answer too.
func (p *Publisher) settled(topic string, err error) {
	well := err == nil || refused(err)
	if well && !p.down.Load() {
		return
	}
	p.down.Store(!well)
	if well {
		err = nil
	}
	p.state.set(err)
	if unreachable(err) {
		p.outage.suspect(p.closing,
			func() error { return p.main.client.RefreshMetadata(topic) },
			func() { p.settled("", nil) })
	}
}

// resolve finds out which record a refusal means. sarama sends the records of one
// partition as one batch, the broker answers for the batch, and the other records
// in it may come from somebody else's Publish: so each is sent again by itself,
// and only what is refused alone is refused. Later records of the same key may
// have passed meanwhile: whoever must keep order through failures has one message
// of a key in flight.
func (p *Publisher) resolve(ctx context.Context, b *batch, errs []error) {
	for i, err := range errs {
		if refused(err) {
			errs[i] = p.sendAlone(ctx, &b.out[i])
		}
	}
}

func (p *Publisher) sendAlone(ctx context.Context, o *outgoing) error {
	single, err := p.singleProducer()
	if err != nil {
		return err
	}
	b := newBatch(1)
	r := &o.record
	b.out[0].fill(r.Topic, o.key, o.value, r.Headers)
	single.send(ctx, b)
	return b.results(ctx)[0]
}

// singleProducer opens the producer of single records when it is first needed.
func (p *Publisher) singleProducer() (*producer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if p.single != nil {
		return p.single, nil
	}
	opened, err := openProducer(p.cfg, true, p.settled)
	if err != nil {
		return nil, err
	}
	p.single = opened
	return opened, nil
}
