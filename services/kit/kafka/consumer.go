package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
)

// Consumer hands the messages of its topics to a handler: those of one partition
// and key one after the other in order, others side by side. A message without a
// key waits for no other. An offset is committed only when every message before it
// is finished. What becomes of a message that fails is in the table of package
// fault, see also ConsumerConfig.GiveUp. Partitions are shared with the other
// members of the group.
type Consumer struct {
	cfg      Config
	consumer ConsumerConfig
	handler  message.Handler
	options  Options
	log      *slog.Logger
	metrics  *consumerMetrics
	state    *state
}

// NewConsumer returns a consumer, which starts with Run. It never fails and needs
// no server. The handler's middleware is the caller's: see message.Standard.
func NewConsumer(cfg Config, c ConsumerConfig, handler message.Handler, o Options) *Consumer {
	o = o.withDefaults()
	log := o.Log.With(slog.String("group", c.Group))
	return &Consumer{
		cfg: cfg.withDefaults(), consumer: c.withDefaults(), handler: handler, options: o, log: log,
		metrics: newConsumerMetrics(o.Registerer, c.Group),
		state:   newState(log, connected(o.Registerer, "consumer:"+c.Group)),
	}
}

// Err returns why the consumer does not consume, or nil.
func (c *Consumer) Err() error { return c.state.get() }

// Run consumes until ctx ends, through whatever happens to the brokers. Then it
// begins no further message, finishes those being handled, on lifecycle.Finish of
// ctx, commits, and leaves the group, so that others take over at once. It fails
// at once if the configuration cannot work and never otherwise. Call it once.
func (c *Consumer) Run(ctx context.Context) error {
	if c.consumer.Group == "" || len(c.consumer.Topics) == 0 {
		return errNothingToConsume
	}
	opened, err := c.cfg.open()
	if err != nil {
		return err
	}
	finish := lifecycle.Finish(ctx)
	run, err := c.begin(finish, opened)
	if err != nil {
		return errors.Join(err, opened.close())
	}
	run.consume(ctx)
	run.end()
	return nil
}

// begin puts the parts of a running consumer together.
func (c *Consumer) begin(ctx context.Context, opened *clients) (*running, error) {
	silence(c.consumer.Topics...)
	missing := newLost(c.consumer.Group, opened.control, c.metrics, c.log)
	group, err := sarama.NewConsumerGroupFromClient(c.consumer.Group,
		&groupClient{Client: opened.read, membership: opened.member, lost: missing.check})
	if err != nil {
		return nil, err
	}
	r := &running{Consumer: c, clients: opened, group: group, missing: missing}
	r.publisher = newLetterPublisher(c.cfg, c.options, c.consumer.Group)
	dead := &letters{group: c.consumer.Group, publisher: r.publisher, now: time.Now}
	work := &workshop{
		cfg: c.cfg, consumer: c.consumer, handler: c.handler, send: dead.send, flow: group,
		pool: newPool(c.cfg.Workers), metrics: c.metrics, log: c.log,
	}
	all := newClaims()
	commits := &committer{
		cfg: c.cfg, group: c.consumer.Group, client: opened.control, claims: all, log: c.log, fenced: r.abandon,
		count: func(result string) { c.metrics.commits.WithLabelValues(c.consumer.Group, result).Inc() },
	}
	r.work = work
	r.member = &membership{
		cfg: c.cfg, ctx: ctx, work: work, claims: all, committer: commits, state: c.state,
	}
	probes := &prober{client: opened.control, claims: all, consumer: c.consumer, seen: r.answered}
	r.start(ctx, commits.run, probes.run, r.watch)
	return r, nil
}

// running is a consumer between Run and its end.
type running struct {
	*Consumer
	clients   *clients
	group     sarama.ConsumerGroup
	member    *membership
	work      *workshop
	missing   *lost
	publisher *Publisher

	stop context.CancelFunc
	wait sync.WaitGroup

	mu sync.Mutex
	// leave ends the session of now.
	leave context.CancelCauseFunc
}

// start runs the side jobs until end. They outlive ctx: the last commits need them.
func (r *running) start(ctx context.Context, jobs ...func(context.Context)) {
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, job := range jobs {
		r.wait.Go(func() { job(ctx) })
	}
}

// consume is a member of the group until ctx ends, again and again.
func (r *running) consume(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > r.cfg.SessionTimeout {
			failures = 0
		}
		r.state.set(err)
		r.log.WarnContext(ctx, "not in the consumer group, joining again", slog.Any("err", err))
		pause(ctx, min(joinPause<<min(failures, 10), maxJoinPause))
	}
}

const (
	joinPause    = 100 * time.Millisecond
	maxJoinPause = 5 * time.Second
)

var (
	errSessionEnded     = errors.New("the group's session ended")
	errNothingToConsume = errors.New("a consumer needs a group and at least one topic")
)

// session is one membership; it returns why it ended.
func (r *running) session(ctx context.Context) error {
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	r.mu.Lock()
	r.leave = leave
	r.mu.Unlock()
	if err := r.group.Consume(ctx, r.consumer.Topics, r.member); err != nil {
		return err
	}
	return errors.Join(errSessionEnded, r.member.cause()) //nolint:contextcheck // of the session that is over
}

// abandon ends a session that the group does not know any more.
func (r *running) abandon(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leave != nil {
		r.leave(cause)
	}
}

// answered follows whether the brokers answer.
func (r *running) answered(err error) { r.state.set(err) }

// watch takes what sarama reports while it goes on.
func (r *running) watch(ctx context.Context) {
	for err := range r.group.Errors() {
		var of *sarama.ConsumerError
		if errors.As(err, &of) && errors.Is(err, sarama.ErrOffsetOutOfRange) {
			r.missing.suspect(place{of.Topic, of.Partition})
		}
		level := slog.LevelDebug
		if errors.Is(err, sarama.ErrRebalanceTimedOut) {
			level = slog.LevelError
		}
		r.log.LogAttrs(ctx, level, "consumer group reported", slog.Any("err", err))
	}
}

// end leaves the group and lets go of everything.
func (r *running) end() {
	left := r.group.Close()
	r.stop()
	r.wait.Wait()
	r.work.pool.wait.Wait()
	if err := errors.Join(left, r.publisher.Close(), r.clients.close()); err != nil {
		r.log.DebugContext(r.member.ctx, "consumer did not end cleanly", slog.Any("err", err))
	}
	r.state.close()
}
