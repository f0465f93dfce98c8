package rabbit

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
)

// errStopped is the state of a link whose Run has ended.
var errStopped = fault.New(fault.Unavailable, "the connection to RabbitMQ is closed for good")

// errNotStarted is the state of a link before its first attempt to connect.
var errNotStarted = fault.New(fault.Unavailable, "the connection to RabbitMQ is not made yet")

// link keeps one connection to the broker: it makes sessions, one after the other.
//
//	idle --run, wanted--> connecting --logged in--> up --connection ended--> pause --> connecting
//	                         | every host refused       | alarm          any --ctx ended--> stopped
//	                         +--> pause --> connecting  +--> up, blocked --alarm over--> up
type link struct {
	dialer  dialer
	invalid error // why the configuration cannot be used
	role    string
	log     *slog.Logger
	backoff backoff
	wanted  chan struct{}
	want    func() // closes wanted, once

	up, blocked prometheus.Gauge
	connections prometheus.Counter

	mu      sync.Mutex
	current *session
	err     error         // why there is no session
	changed chan struct{} // closed and replaced when current or err changes
	epoch   uint64
}

// newLink returns a link for one role of a process, such as "publisher". A lazy one
// connects when somebody first waits for a session.
func newLink(cfg Config, role string, o Options, m *metrics, lazy bool) *link {
	l := &link{
		role:        role,
		log:         logger(o).With(slog.String("connection", role)),
		backoff:     backoff{low: cfg.ReconnectMin, high: cfg.ReconnectMax},
		wanted:      make(chan struct{}),
		up:          m.up.WithLabelValues(role),
		blocked:     m.blocked.WithLabelValues(role),
		connections: m.connections.WithLabelValues(role),
		err:         errNotStarted,
		changed:     make(chan struct{}),
	}
	l.want = sync.OnceFunc(func() { close(l.wanted) })
	if !lazy {
		l.want()
	}
	l.dialer = dialer{cfg: cfg, name: connectionName(o, role)}
	l.dialer.target, l.invalid = parseURL(cfg.URL.Reveal())
	return l
}

func logger(o Options) *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// connectionName is what the broker's operators see: "order publisher @pod-1".
func connectionName(o Options, role string) string {
	name := o.Name
	if name == "" {
		name = filepath.Base(os.Args[0])
	}
	if host, err := os.Hostname(); err == nil {
		role += " @" + host
	}
	return name + " " + role
}

// run makes sessions until ctx ends and gives each to serve, which returns when the
// session has ended or, once ctx has, when it has finished with it. Its error is
// that of a configuration that cannot be used.
func (l *link) run(ctx context.Context, serve func(context.Context, *session)) error {
	if l.invalid != nil {
		l.set(nil, fault.Wrap(fault.Invalid, l.invalid, "the configuration of RabbitMQ cannot be used"))
		return l.invalid
	}
	defer l.set(nil, errStopped)
	select {
	case <-l.wanted:
	case <-ctx.Done():
		return nil
	}
	for {
		s := l.connect(ctx)
		if s == nil {
			return nil
		}
		serve(ctx, s)
		l.drop(ctx, s)
		if ctx.Err() != nil || !pause(ctx, l.backoff.next(), nil) {
			return nil
		}
	}
}

// connect tries until it has a session; nil means that ctx ended.
func (l *link) connect(ctx context.Context) *session {
	for ctx.Err() == nil {
		s, err := l.try(ctx)
		if err == nil {
			l.opened(ctx, s)
			return s
		}
		l.set(nil, fault.Wrap(fault.Unavailable, err, "RabbitMQ cannot be reached"))
		l.log.LogAttrs(ctx, slog.LevelWarn, "connection attempt failed", slog.Any("err", err))
		pause(ctx, l.backoff.next(), nil)
	}
	return nil
}

// try asks each host once, from a random one on.
func (l *link) try(ctx context.Context) (*session, error) {
	hosts := l.dialer.target.hosts
	first := rand.IntN(len(hosts))
	var errs []error
	for i := range hosts {
		host := hosts[(first+i)%len(hosts)]
		conn, w, err := l.dialer.dial(ctx, host)
		if err == nil {
			return l.session(ctx, host, conn, w), nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (l *link) session(ctx context.Context, host string, conn *amqp.Connection, w *wire) *session {
	l.epoch++
	s := &session{epoch: l.epoch, host: host, conn: conn, wire: w, since: time.Now(), done: make(chan struct{})}
	s.watch(l.dialer.cfg.Heartbeat, func(reason string) { l.alarmed(ctx, reason) })
	return s
}

func (l *link) opened(ctx context.Context, s *session) {
	l.up.Set(1)
	l.connections.Inc()
	l.log.LogAttrs(ctx, slog.LevelInfo, "connection opened",
		slog.String("host", s.host), slog.Uint64("epoch", s.epoch))
	l.set(s, nil)
}

// drop ends a session and everything that belonged to it.
func (l *link) drop(ctx context.Context, s *session) {
	lost := !s.alive()
	l.set(nil, fault.Wrap(fault.Unavailable, errLost, "RabbitMQ cannot be reached"))
	s.close()
	l.up.Set(0)
	l.blocked.Set(0)
	l.backoff.lasted(time.Since(s.since))
	if unreadable(s.cause) {
		l.backoff.lasted(l.backoff.high) // the broker is well, and the message must reach its limit soon
	}
	if lost {
		l.log.LogAttrs(ctx, slog.LevelWarn, "connection lost",
			slog.String("host", s.host), slog.Uint64("epoch", s.epoch), slog.Any("err", s.cause))
	}
}

// alarmed shows that the broker has stopped taking messages, for a reason, or takes
// them again.
func (l *link) alarmed(ctx context.Context, reason string) {
	if reason == "" {
		l.blocked.Set(0)
		l.log.LogAttrs(ctx, slog.LevelInfo, "broker takes messages again")
		return
	}
	l.blocked.Set(1)
	l.log.LogAttrs(ctx, slog.LevelError, "broker takes no messages", slog.String("reason", reason))
}

func (l *link) set(s *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.err = s, err
	close(l.changed)
	l.changed = make(chan struct{})
}

// wait returns the session, when there is one. Its error is Unavailable: ctx ended,
// or the link is closed for good.
func (l *link) wait(ctx context.Context) (*session, error) {
	l.want()
	for {
		l.mu.Lock()
		s, err, changed := l.current, l.err, l.changed
		l.mu.Unlock()
		if s != nil && s.alive() {
			return s, nil
		}
		if s == nil && (errors.Is(err, errStopped) || fault.Is(err, fault.Invalid)) {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, errors.Join(ctx.Err(), err), "RabbitMQ cannot be reached")
		}
	}
}

// state returns why the link cannot be used now, or nil.
func (l *link) state() error {
	l.mu.Lock()
	s, err := l.current, l.err
	l.mu.Unlock()
	if s == nil {
		return err
	}
	if !s.alive() {
		return fault.Wrap(fault.Unavailable, errLost, "RabbitMQ cannot be reached")
	}
	return nil
}

// alarm returns the error of a broker that takes no messages, or nil.
func (l *link) alarm() error {
	l.mu.Lock()
	s := l.current
	l.mu.Unlock()
	if s == nil {
		return nil
	}
	if a := s.blocked.Load(); a != nil {
		return fault.Wrap(fault.Unavailable, errors.New(a.reason), "RabbitMQ takes no messages")
	}
	return nil
}
