package lifecycle

import (
	"time"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/telemetry"
)

// Config is what every process has. Services embed it, which makes them Configured.
type Config struct {
	// ShutdownTimeout is how long work in flight may take to finish after SIGTERM,
	// the drain delay included, before it is cut off. Keep it below the pod's
	// terminationGracePeriodSeconds by ten seconds.
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"20s"`
	// DrainDelay is how long the HTTP server goes on accepting after readiness
	// went off, so that load balancers notice. Zero stops accepting at once.
	DrainDelay time.Duration `envconfig:"DRAIN_DELAY" default:"3s"`

	Telemetry telemetry.Config
}

// Lifecycle implements Configured for every struct that embeds Config.
func (c Config) Lifecycle() Config { return c }

// Validate implements the contract of package config.
func (c Config) Validate() error {
	return config.All(
		config.Between("SHUTDOWN_TIMEOUT", c.ShutdownTimeout, time.Second, time.Hour),
		config.Between("DRAIN_DELAY", c.DrainDelay, 0, max(c.ShutdownTimeout-time.Second, 0)),
	)
}

// Configured is a service's configuration: a struct that embeds Config.
type Configured interface {
	Lifecycle() Config
}
