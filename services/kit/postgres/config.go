package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"parley.sh/services/kit/config"
)

// Config is how a service reaches its database.
type Config struct {
	// URL names the database: postgres://user:password@host:port/database, with
	// sslmode, sslrootcert and the other libpq parameters after a question mark.
	URL config.Secret `envconfig:"DATABASE_URL" required:"true" example:"postgres://user@localhost:5432/database"`
	// Password replaces the one in the URL, so that the URL need not be a secret.
	Password config.Secret `envconfig:"DATABASE_PASSWORD"`
	// MaxConns is the size of the pool. All replicas of all services together must
	// stay below the server's max_connections.
	MaxConns int32 `envconfig:"DATABASE_MAX_CONNS" default:"16"`
	// ConnectTimeout bounds the making of one connection.
	ConnectTimeout time.Duration `envconfig:"DATABASE_CONNECT_TIMEOUT" default:"5s"`
	// AcquireTimeout bounds the wait of a transaction for a free connection.
	AcquireTimeout time.Duration `envconfig:"DATABASE_ACQUIRE_TIMEOUT" default:"5s"`
	// StatementTimeout is after how long the server cancels a statement, waits for
	// locks included. Migrations are exempt.
	StatementTimeout time.Duration `envconfig:"DATABASE_STATEMENT_TIMEOUT" default:"10s"`
	// IdleInTransactionTimeout is after how long the server ends a session that
	// sits in a transaction and does nothing.
	IdleInTransactionTimeout time.Duration `envconfig:"DATABASE_IDLE_IN_TRANSACTION_TIMEOUT" default:"15s"`
}

// Validate implements the contract of package config.
func (c Config) Validate() error {
	var url error
	if _, err := pgxpool.ParseConfig(c.URL.Reveal()); err != nil {
		// The parser's text repeats parts of the URL.
		url = config.Invalid("DATABASE_URL", "is not a PostgreSQL URL",
			"give postgres://user@host:port/database?sslmode=verify-full")
	}
	return config.All(
		url,
		config.Between("DATABASE_MAX_CONNS", c.MaxConns, 2, 1000),
		config.AtLeast("DATABASE_CONNECT_TIMEOUT", c.ConnectTimeout, 100*time.Millisecond),
		config.AtLeast("DATABASE_ACQUIRE_TIMEOUT", c.AcquireTimeout, 10*time.Millisecond),
		config.AtLeast("DATABASE_STATEMENT_TIMEOUT", c.StatementTimeout, 100*time.Millisecond),
		config.AtLeast("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", c.IdleInTransactionTimeout, 100*time.Millisecond),
	)
}
