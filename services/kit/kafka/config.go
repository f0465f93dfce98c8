package kafka

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/message"
)

// Config says where Kafka is, how to speak to it, and what a consumer may hold.
// Fill it with config.Load or take Defaults.
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
	// RebalanceTimeout is how long a consumer may take to let a partition go;
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
	RetryMax time.Duration `envconfig:"KAFKA_RETRY_MAX" default:"15s"`
}

// Options are what publishers and consumers are given by their service.
type Options struct {
	// Log takes what operators should know. Nil discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil keeps them to themselves.
	Registerer prometheus.Registerer
}

// ConsumerConfig says what one consumer consumes.
type ConsumerConfig struct {
	// Group is the consumer group: its members share the partitions.
	Group string
	// Topics are the topics to consume. All of them must exist.
	Topics []string
	// GiveUp sets a message aside in the dead-letter topic after MaxAttempts failed
	// attempts. False tries it again for ever, in place, and raises an alert.
	GiveUp bool
	// MaxAttempts is how many attempts fail before a message is given up or raises
	// an alert. Zero means 10.
	MaxAttempts int
	// CaughtUp, if set, is told that every message of a partition that the broker had
	// at a moment is finished. It is called at least once a second while that stays so,
	// from several goroutines, and must return at once.
	CaughtUp func(topic string, partition int32, at time.Time)
}

// DeadLetterTopic returns the topic that takes what a group sets aside of a topic.
func DeadLetterTopic(topic, group string) string { return topic + "." + group + ".dlq" }

// DefaultAttempts is what a zero ConsumerConfig.MaxAttempts means.
const DefaultAttempts = 10

var _ message.Publisher = (*Publisher)(nil)
