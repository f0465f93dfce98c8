package outbox

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/config"
)

// Config tunes a Relay. Fill it with config.Load or take Defaults.
type Config struct {
	// Batch is how many rows one publish carries at most. A batch has one row of a
	// key at most, so a larger one helps only where many keys wait.
	Batch int `envconfig:"OUTBOX_BATCH" default:"1000"`
	// InFlight is how many batches of one destination may be unconfirmed at once.
	InFlight int `envconfig:"OUTBOX_IN_FLIGHT" default:"4"`
	// Buffer bounds the rows of one destination in memory.
	Buffer int `envconfig:"OUTBOX_BUFFER" default:"8192"`
	// BufferBytes bounds the data of one destination in memory.
	BufferBytes int `envconfig:"OUTBOX_BUFFER_BYTES" default:"16777216"`
	// PollMin is the pause between two looks at the table while rows come; it
	// doubles up to PollMax while none do. A Wake cuts it short.
	PollMin time.Duration `envconfig:"OUTBOX_POLL_MIN" default:"50ms"`
	// PollMax is the longest pause between two looks at the table.
	PollMax time.Duration `envconfig:"OUTBOX_POLL_MAX" default:"200ms"`
	// PublishTimeout bounds one publish. Keep it above the timeouts of the brokers'
	// clients, which know more about why.
	PublishTimeout time.Duration `envconfig:"OUTBOX_PUBLISH_TIMEOUT" default:"30s"`
	// RetryMin is about the first pause after a failure; pauses double, with jitter.
	RetryMin time.Duration `envconfig:"OUTBOX_RETRY_MIN" default:"100ms"`
	// RetryMax is the longest pause of one key after its own failures. A destination
	// that fails as a whole is tried every two seconds at least.
	RetryMax time.Duration `envconfig:"OUTBOX_RETRY_MAX" default:"30s"`
}

// Defaults returns the configuration that an empty environment gives.
func Defaults() Config {
	return Config{
		Batch:          1000,
		InFlight:       4,
		Buffer:         8192,
		BufferBytes:    16 << 20,
		PollMin:        50 * time.Millisecond,
		PollMax:        200 * time.Millisecond,
		PublishTimeout: 30 * time.Second,
		RetryMin:       100 * time.Millisecond,
		RetryMax:       30 * time.Second,
	}
}

// Validate implements the contract of package config.
func (c Config) Validate() error {
	return config.All(
		config.Between("OUTBOX_BATCH", c.Batch, 1, 100_000),
		config.Between("OUTBOX_IN_FLIGHT", c.InFlight, 1, 64),
		config.Between("OUTBOX_BUFFER", c.Buffer, max(c.Batch, Shards), 1_000_000),
		config.AtLeast("OUTBOX_BUFFER_BYTES", c.BufferBytes, 1<<20),
		config.AtLeast("OUTBOX_POLL_MIN", c.PollMin, time.Millisecond),
		config.AtLeast("OUTBOX_POLL_MAX", c.PollMax, c.PollMin),
		config.AtLeast("OUTBOX_PUBLISH_TIMEOUT", c.PublishTimeout, 100*time.Millisecond),
		config.AtLeast("OUTBOX_RETRY_MIN", c.RetryMin, time.Millisecond),
		config.AtLeast("OUTBOX_RETRY_MAX", c.RetryMax, c.RetryMin),
	)
}

// Options are what a Relay is given by its service.
type Options struct {
	// Log takes what operators should know. Nil discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil keeps them to themselves.
	Registerer prometheus.Registerer
}
