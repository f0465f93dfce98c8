package rest

import (
	"time"

	"parley.sh/services/kit/config"
)

// Config is how one target is called. A service holds one for each target, under
// the target's prefix:
//
//	Inventory rest.Config `envconfig:"INVENTORY"` // INVENTORY_URL, INVENTORY_TIMEOUT, ...
type Config struct {
	// URL is where the target answers, without a path. In Kubernetes that is the DNS
	// name of its Service.
	URL string `envconfig:"URL" required:"true" example:"http://inventory-service:8080"`

	// Timeout ends a call as a whole: waiting, every attempt, and reading the answer. A
	// caller's own deadline that is nearer wins. It is sent to the target.
	Timeout time.Duration `envconfig:"TIMEOUT" default:"2s"`
	// AttemptTimeout ends one attempt that has not begun to answer.
	AttemptTimeout time.Duration `envconfig:"ATTEMPT_TIMEOUT" default:"1s"`
	// ConnectTimeout ends the making of one connection.
	ConnectTimeout time.Duration `envconfig:"CONNECT_TIMEOUT" default:"500ms"`

	// Attempts is how often a repeatable request is sent at most; 1 never repeats.
	Attempts int `envconfig:"ATTEMPTS" default:"3"`
	// RetryPause is the longest pause before the first retry; it doubles with each. The
	// pause is random between nothing and that (full jitter).
	RetryPause time.Duration `envconfig:"RETRY_PAUSE" default:"50ms"`
	// RetryPauseMax is where the doubling ends.
	RetryPauseMax time.Duration `envconfig:"RETRY_PAUSE_MAX" default:"1s"`
	// RetryShare is the retry budget: how many extra attempts (retries and hedges) each
	// call earns. 0.1 allows one for ten calls; 0 allows none but the burst.
	RetryShare float64 `envconfig:"RETRY_SHARE" default:"0.1"`
	// RetryBurst is how many extra attempts can be saved up, and how many there are at the start.
	RetryBurst int `envconfig:"RETRY_BURST" default:"5"`

	// HedgeAfter is when a GET that has no answer yet is sent a second time; 0 never.
	// Set it near the 95th percentile of the target's latency.
	HedgeAfter time.Duration `envconfig:"HEDGE_AFTER" default:"0s"`

	// BreakerShare opens the circuit breaker when this share of calls failed within
	// BreakerWindow; 0 turns the breaker off.
	BreakerShare float64 `envconfig:"BREAKER_SHARE" default:"0.5"`
	// BreakerCalls is how many calls the window must hold before the share counts.
	BreakerCalls uint `envconfig:"BREAKER_CALLS" default:"20"`
	// BreakerWindow is the sliding window.
	BreakerWindow time.Duration `envconfig:"BREAKER_WINDOW" default:"10s"`
	// BreakerPause is how long an open breaker waits, with a quarter of jitter, until
	// it lets probes through.
	BreakerPause time.Duration `envconfig:"BREAKER_PAUSE" default:"2s"`
	// BreakerProbes is how many probes must succeed in a row to close it; one failure opens it again.
	BreakerProbes uint `envconfig:"BREAKER_PROBES" default:"3"`

	// MaxInFlight is how many attempts may be with the target at once (bulkhead).
	MaxInFlight uint `envconfig:"MAX_IN_FLIGHT" default:"128"`
	// MaxWait is how long an attempt waits for room in the bulkhead; 0 does not wait.
	MaxWait time.Duration `envconfig:"MAX_WAIT" default:"100ms"`

	// MaxResponse is the longest answer that is read, in bytes; 0 has no limit.
	MaxResponse int64 `envconfig:"MAX_RESPONSE" default:"16777216"`
	// IdleTimeout closes a connection that was not used for so long.
	IdleTimeout time.Duration `envconfig:"IDLE_TIMEOUT" default:"30s"`
	// ConnectionAge is when connections are replaced although they work, so that a
	// change of DNS or a new pod behind a Service is seen; 0 never.
	ConnectionAge time.Duration `envconfig:"CONNECTION_AGE" default:"1m"`
}

// DefaultConfig returns the defaults of the environment's variables for a target at url.
func DefaultConfig(url string) Config {
	return Config{
		URL:            url,
		Timeout:        2 * time.Second,
		AttemptTimeout: time.Second,
		ConnectTimeout: 500 * time.Millisecond,
		Attempts:       3,
		RetryPause:     50 * time.Millisecond,
		RetryPauseMax:  time.Second,
		RetryShare:     0.1,
		RetryBurst:     5,
		BreakerShare:   0.5,
		BreakerCalls:   20,
		BreakerWindow:  10 * time.Second,
		BreakerPause:   2 * time.Second,
		BreakerProbes:  3,
		MaxInFlight:    128,
		MaxWait:        100 * time.Millisecond,
		MaxResponse:    16 << 20,
		IdleTimeout:    30 * time.Second,
		ConnectionAge:  time.Minute,
	}
}

// Validate reports every variable that makes no sense.
func (c Config) Validate() error {
	return config.All(
		config.URL("URL", c.URL, "http", "https"),
		config.AtLeast("TIMEOUT", c.Timeout, time.Millisecond),
		config.AtLeast("ATTEMPT_TIMEOUT", c.AttemptTimeout, time.Millisecond),
		config.AtLeast("CONNECT_TIMEOUT", c.ConnectTimeout, time.Millisecond),
		config.Between("ATTEMPTS", c.Attempts, 1, 20),
		config.AtLeast("RETRY_PAUSE", c.RetryPause, time.Millisecond),
		config.AtLeast("RETRY_PAUSE_MAX", c.RetryPauseMax, c.RetryPause),
		config.Between("RETRY_SHARE", c.RetryShare, 0, 1),
		config.Between("RETRY_BURST", c.RetryBurst, 0, 1000),
		config.AtLeast("HEDGE_AFTER", c.HedgeAfter, 0),
		config.Between("BREAKER_SHARE", c.BreakerShare, 0, 1),
		config.AtLeast("BREAKER_CALLS", c.BreakerCalls, 1),
		config.AtLeast("BREAKER_WINDOW", c.BreakerWindow, 10*time.Millisecond),
		config.AtLeast("BREAKER_PAUSE", c.BreakerPause, time.Millisecond),
		config.AtLeast("BREAKER_PROBES", c.BreakerProbes, 1),
		config.Between("MAX_IN_FLIGHT", c.MaxInFlight, 1, 100_000),
		config.AtLeast("MAX_WAIT", c.MaxWait, 0),
		config.AtLeast("MAX_RESPONSE", c.MaxResponse, 0),
		config.AtLeast("IDLE_TIMEOUT", c.IdleTimeout, time.Millisecond),
		config.AtLeast("CONNECTION_AGE", c.ConnectionAge, 0),
	)
}
