package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
)

// closeLimit bounds Close: a connection that is never given back must not keep
// the process from ending.
const closeLimit = 5 * time.Second

// pingLimit bounds the check of Ready.
const pingLimit = 2 * time.Second

// Options are what a DB is given besides its Config.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Registerer gets the pool's metrics; nil means none.
	Registerer prometheus.Registerer
	// Application is the application_name of the sessions; empty means parley,
	// unless the URL has one.
	Application string
}

// DB is a pool of connections to one database. Errors of the pool's own methods
// are raw: give them to Map. Safe for concurrent use.
type DB struct {
	*pgxpool.Pool

	log      *slog.Logger
	acquire  time.Duration
	migrated chan struct{}
	once     sync.Once
}

// Open makes the pool without connecting to anything; an error means that cfg or
// the registry cannot be used. Close it when every user of it has stopped.
func Open(cfg Config, opts Options) (*DB, error) {
	settings, err := poolConfig(cfg, opts.Application)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), settings)
	if err != nil {
		return nil, fmt.Errorf("make the pool: %w", err)
	}
	db := &DB{Pool: pool, log: opts.Log, acquire: cfg.AcquireTimeout, migrated: make(chan struct{})}
	if opts.Registerer != nil {
		labels := prometheus.Labels{"database": settings.ConnConfig.Database}
		if err := prometheus.WrapRegistererWith(labels, opts.Registerer).Register(&poolCollector{pool}); err != nil {
			pool.Close()
			return nil, fmt.Errorf("register the pool's metrics: %w", err)
		}
	}
	return db, nil
}

func poolConfig(cfg Config, application string) (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(cfg.URL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("parse DATABASE_URL: %w", err)
	}
	conn := settings.ConnConfig
	if cfg.Password != "" {
		conn.Password = cfg.Password.Reveal()
	}
	conn.ConnectTimeout = cfg.ConnectTimeout
	conn.DialFunc = dialer().DialContext
	conn.Tracer = otelpgx.NewTracer(otelpgx.WithDisableAcquireTracer())
	for name, value := range session(cfg, application) {
		if _, given := conn.RuntimeParams[name]; !given {
			conn.RuntimeParams[name] = value
		}
	}
	settings.MaxConns = cfg.MaxConns
	settings.MaxConnLifetime = time.Hour
	settings.MaxConnLifetimeJitter = 10 * time.Minute
	settings.PingTimeout = cfg.ConnectTimeout
	return settings, nil
}

// session returns the parameters of each session. The TCP settings are the
// server's side of the connection: it lets go of a client that vanished, and of
// its locks, as quickly as the client lets go of a server.
func session(cfg Config, application string) map[string]string {
	return map[string]string{
		"application_name":                    cmp.Or(application, "parley"),
		"statement_timeout":                   milliseconds(cfg.StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(cfg.IdleInTransactionTimeout),
		"tcp_keepalives_idle":                 strconv.Itoa(int(keepAlive.Idle.Seconds())),
		"tcp_keepalives_interval":             strconv.Itoa(int(keepAlive.Interval.Seconds())),
		"tcp_keepalives_count":                strconv.Itoa(keepAlive.Count),
		"tcp_user_timeout":                    milliseconds(userTimeout),
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Close closes the pool and waits until its connections are given back, but not
// longer than five seconds.
func (db *DB) Close() {
	done := make(chan struct{})
	go func() { db.Pool.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeLimit):
		db.log.Warn("database connections were not given back", "count", db.Stat().AcquiredConns())
	}
}

// Ready is a readiness check: it returns Unavailable until the schema is migrated
// and while the database does not answer within two seconds.
func (db *DB) Ready(ctx context.Context) error {
	select {
	case <-db.migrated:
	default:
		return fault.New(fault.Unavailable, "the database is not migrated yet")
	}
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if err := db.Ping(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the database does not answer")
	}
	return nil
}

// Migrated returns a channel that is closed once the schema is there.
func (db *DB) Migrated() <-chan struct{} { return db.migrated }

// After returns a function that waits until the schema is there and then calls
// run. When its context ends before that it returns nil without calling run.
func (db *DB) After(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-db.migrated:
			return run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// where names the server for the log.
func where(c *pgx.ConnConfig) []any {
	return []any{"host", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), "database", c.Database}
}
