package kafka

import (
	"cmp"
	"time"

	"parley.sh/services/kit/config"
)

// Config says where Kafka is, how to speak to it, and what a consumer may hold.
// Fill it with config.Load, or set what matters: a field's zero value stands for
// its default.
type Config struct {
	// Brokers are the addresses that a client asks first, host:port.
	Brokers []string `envconfig:"KAFKA_BROKERS" default:"127.0.0.1:9092"`
	// ClientID names this process in the broker's logs and quotas.
	ClientID string `envconfig:"KAFKA_CLIENT_ID" default:"parley"`
	// InstanceID makes consumers static members of their group: their partitions
	// wait for this very instance until the session times out, also after an orderly
	// stop. Set it only where every replica has a stable name of its own. Empty is
	// dynamic membership: an orderly stop hands the partitions over at once.
	InstanceID string `envconfig:"KAFKA_INSTANCE_ID"`
	// TLS speaks TLS to the brokers.
	TLS bool `envconfig:"KAFKA_TLS" default:"false"`
	// CAFile holds the PEM certificates that brokers are checked against. Empty is
	// the system's. It implies TLS.
	CAFile string `envconfig:"KAFKA_CA_FILE"`
	// SASLMechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or empty for none.
	SASLMechanism string `envconfig:"KAFKA_SASL_MECHANISM"`
	// Username is the name to log in with.
	Username string `envconfig:"KAFKA_USERNAME"`
	// Password is the password to log in with.
	Password config.Secret `envconfig:"KAFKA_PASSWORD"`
	// DialTimeout bounds the making of one connection.
	DialTimeout time.Duration `envconfig:"KAFKA_DIAL_TIMEOUT" default:"5s"`
	// RequestTimeout is how long an answer of a broker may take before its
	// connection counts as dead.
	RequestTimeout time.Duration `envconfig:"KAFKA_REQUEST_TIMEOUT" default:"10s"`
	// MaxMessageBytes is the largest message that is sent, headers included.
	MaxMessageBytes int `envconfig:"KAFKA_MAX_MESSAGE_BYTES" default:"1000000"`
	// SessionTimeout is how long a consumer may be silent before its group gives
	// its partitions away.
	SessionTimeout time.Duration `envconfig:"KAFKA_SESSION_TIMEOUT" default:"10s"`
	// RebalanceTimeout is how long a consumer may take to let a partition go:
	// messages being handled then have three quarters of it to finish.
	RebalanceTimeout time.Duration `envconfig:"KAFKA_REBALANCE_TIMEOUT" default:"20s"`
	// Workers is how many messages one consumer handles at once.
	Workers int `envconfig:"KAFKA_WORKERS" default:"32"`
	// MaxInFlight bounds the unfinished messages of one partition in memory. At the
	// bound the partition is paused.
	MaxInFlight int `envconfig:"KAFKA_MAX_IN_FLIGHT" default:"5000"`
	// MaxInFlightBytes bounds the bytes of the unfinished messages of one partition.
	MaxInFlightBytes int64 `envconfig:"KAFKA_MAX_IN_FLIGHT_BYTES" default:"8388608"`
	// MaxInFlightTotal bounds the unfinished messages of all partitions of one consumer.
	MaxInFlightTotal int `envconfig:"KAFKA_MAX_IN_FLIGHT_TOTAL" default:"20000"`
	// MaxInFlightTotalBytes bounds the bytes of the unfinished messages of one consumer.
	MaxInFlightTotalBytes int64 `envconfig:"KAFKA_MAX_IN_FLIGHT_TOTAL_BYTES" default:"67108864"`
	// MaxAhead is how far a partition is read past its oldest unfinished message,
	// in messages: what was finished there is delivered again after a restart.
	MaxAhead int `envconfig:"KAFKA_MAX_AHEAD" default:"100000"`
	// CommitInterval is how often finished offsets are committed.
	CommitInterval time.Duration `envconfig:"KAFKA_COMMIT_INTERVAL" default:"200ms"`
	// RetryMin is the first pause before a failed message is tried again; it doubles
	// up to RetryMax.
	RetryMin time.Duration `envconfig:"KAFKA_RETRY_MIN" default:"100ms"`
	// RetryMax is the longest pause before a failed message is tried again.
	RetryMax time.Duration `envconfig:"KAFKA_RETRY_MAX" default:"5s"`
}

// The SASL mechanisms.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Validate implements the contract of package config.
func (c Config) Validate() error {
	c = c.withDefaults()
	checks := []error{
		config.OneOf("KAFKA_SASL_MECHANISM", c.SASLMechanism, "", Plain, ScramSHA256, ScramSHA512),
		config.Between("KAFKA_DIAL_TIMEOUT", c.DialTimeout, 100*time.Millisecond, time.Minute),
		config.Between("KAFKA_REQUEST_TIMEOUT", c.RequestTimeout, time.Second, time.Minute),
		config.Between("KAFKA_MAX_MESSAGE_BYTES", c.MaxMessageBytes, 1<<10, 64<<20),
		config.Between("KAFKA_SESSION_TIMEOUT", c.SessionTimeout, 6*time.Second, 5*time.Minute),
		config.Between("KAFKA_REBALANCE_TIMEOUT", c.RebalanceTimeout, time.Second, 5*time.Minute),
		config.Between("KAFKA_WORKERS", c.Workers, 1, 10_000),
		config.AtLeast("KAFKA_MAX_IN_FLIGHT", c.MaxInFlight, 1),
		config.AtLeast("KAFKA_MAX_IN_FLIGHT_BYTES", c.MaxInFlightBytes, 1),
		config.AtLeast("KAFKA_MAX_IN_FLIGHT_TOTAL", c.MaxInFlightTotal, 1),
		config.AtLeast("KAFKA_MAX_IN_FLIGHT_TOTAL_BYTES", c.MaxInFlightTotalBytes, 1),
		config.AtLeast("KAFKA_MAX_AHEAD", c.MaxAhead, 1),
		config.Between("KAFKA_COMMIT_INTERVAL", c.CommitInterval, time.Millisecond, time.Minute),
		config.AtLeast("KAFKA_RETRY_MIN", c.RetryMin, time.Millisecond),
		config.AtLeast("KAFKA_RETRY_MAX", c.RetryMax, c.RetryMin),
		c.checkLogin(),
	}
	for _, broker := range c.Brokers {
		checks = append(checks, config.Address("KAFKA_BROKERS", broker))
	}
	return config.All(checks...)
}

func (c Config) checkLogin() error {
	if c.SASLMechanism != "" && (c.Username == "" || c.Password == "") {
		return config.Invalid("KAFKA_SASL_MECHANISM", "needs a login", "set KAFKA_USERNAME and KAFKA_PASSWORD")
	}
	if _, err := c.roots(); err != nil {
		return config.Invalid("KAFKA_CA_FILE", "cannot be used", "name a readable file of PEM certificates")
	}
	return nil
}

// withDefaults gives every zero field the default of its tag.
func (c Config) withDefaults() Config {
	if len(c.Brokers) == 0 {
		c.Brokers = []string{"127.0.0.1:9092"}
	}
	c.ClientID = cmp.Or(c.ClientID, "parley")
	c.DialTimeout = cmp.Or(c.DialTimeout, 5*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 10*time.Second)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 1_000_000)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 10*time.Second)
	c.RebalanceTimeout = cmp.Or(c.RebalanceTimeout, 20*time.Second)
	c.Workers = cmp.Or(c.Workers, 32)
	c.MaxInFlight = cmp.Or(c.MaxInFlight, 5000)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 8<<20)
	c.MaxInFlightTotal = cmp.Or(c.MaxInFlightTotal, 20_000)
	c.MaxInFlightTotalBytes = cmp.Or(c.MaxInFlightTotalBytes, 64<<20)
	c.MaxAhead = cmp.Or(c.MaxAhead, 100_000)
	c.CommitInterval = cmp.Or(c.CommitInterval, 200*time.Millisecond)
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 5*time.Second)
	return c
}
