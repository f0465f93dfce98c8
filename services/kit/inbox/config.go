package inbox

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/config"
)

const day = 24 * time.Hour

// Config tunes a Keeper. Fill it with config.Load or take Defaults.
type Config struct {
	// Keep is how long handled messages are remembered, by the messages' own time,
	// in whole days. Older messages are dead-lettered, so it must exceed the time for
	// which a message can be under way: Kafka's retention as far as a consumer may be
	// set back, and the longest stay in a retry ladder. Lowering it forgets at
	// once; raising it takes effect as days pass.
	Keep time.Duration `envconfig:"INBOX_KEEP" default:"192h"`
	// SweepInterval is how often old days are dropped and new ones made.
	SweepInterval time.Duration `envconfig:"INBOX_SWEEP_INTERVAL" default:"10m"`
}

// Defaults returns the configuration that an empty environment gives.
func Defaults() Config { return Config{Keep: 8 * day, SweepInterval: 10 * time.Minute} }

// Validate implements the contract of package config.
func (c Config) Validate() error {
	return config.All(
		config.Between("INBOX_KEEP", c.Keep, day, 400*day),
		config.Between("INBOX_SWEEP_INTERVAL", c.SweepInterval, time.Second, 12*time.Hour),
	)
}

// Options are what a Keeper is given by its service.
type Options struct {
	// Log takes what operators should know. Nil discards.
	Log *slog.Logger
	// Registerer takes the metrics. Nil keeps them to themselves.
	Registerer prometheus.Registerer
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}
