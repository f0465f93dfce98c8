package web

import (
	"time"

	"parley.sh/services/kit/config"
)

// Config is how a service listens and what it accepts.
type Config struct {
	// Addr is where the server listens, host:port or :port.
	Addr string `envconfig:"HTTP_ADDR" default:":8080"`
	// MaxBodyBytes is the largest request body; beyond it the answer is 413.
	MaxBodyBytes int64 `envconfig:"HTTP_MAX_BODY_BYTES" default:"1048576"`
	// MaxHeaderBytes is the most all request headers may have; beyond it the answer
	// is 431. A URL longer than half of it is answered with 414.
	MaxHeaderBytes int `envconfig:"HTTP_MAX_HEADER_BYTES" default:"16384"`
	// ReadTimeout is how long a client may take to send the headers, and then the body.
	ReadTimeout time.Duration `envconfig:"HTTP_READ_TIMEOUT" default:"10s"`
	// RequestTimeout is the deadline of every request that is no stream; a caller
	// may ask for an earlier one.
	RequestTimeout time.Duration `envconfig:"HTTP_REQUEST_TIMEOUT" default:"15s"`
	// IdleTimeout is after how long an idle connection is closed. Keep it above
	// that of the load balancer.
	IdleTimeout time.Duration `envconfig:"HTTP_IDLE_TIMEOUT" default:"75s"`
	// MaxInFlight is how many requests are handled at once; beyond it the answer
	// is 503. Streams and the endpoints of operation are not counted.
	MaxInFlight int `envconfig:"HTTP_MAX_IN_FLIGHT" default:"512"`
	// MaxStreams is how many event streams are open at once; beyond it the answer is 503.
	MaxStreams int `envconfig:"HTTP_MAX_STREAMS" default:"1000"`
}

// Validate implements the contract of package config.
func (c Config) Validate() error {
	return config.All(
		config.Address("HTTP_ADDR", c.Addr),
		config.AtLeast("HTTP_MAX_BODY_BYTES", c.MaxBodyBytes, 1024),
		config.Between("HTTP_MAX_HEADER_BYTES", c.MaxHeaderBytes, 2048, 1<<20),
		config.AtLeast("HTTP_READ_TIMEOUT", c.ReadTimeout, 100*time.Millisecond),
		config.AtLeast("HTTP_REQUEST_TIMEOUT", c.RequestTimeout, 100*time.Millisecond),
		config.AtLeast("HTTP_IDLE_TIMEOUT", c.IdleTimeout, time.Second),
		config.AtLeast("HTTP_MAX_IN_FLIGHT", c.MaxInFlight, 1),
		config.AtLeast("HTTP_MAX_STREAMS", c.MaxStreams, 1),
	)
}
