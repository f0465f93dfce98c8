package rabbit

import (
	"time"

	"parley.sh/services/kit/config"
)

// Config says where RabbitMQ is, how to speak to it and what a process may hold.
// Fill it with config.Load or take Defaults.
type Config struct {
	// URL names the broker: amqp[s]://user@host:port[,host:port...]/vhost. Several
	// hosts are the nodes of one cluster; they are tried in turn, from a random one on.
	URL config.Secret `envconfig:"AMQP_URL" default:"amqp://guest:guest@127.0.0.1:5672/"`
	// Password replaces the one in the URL, so that the URL need not be a secret.
	Password config.Secret `envconfig:"AMQP_PASSWORD"`
	// CAFile holds the PEM certificates that the broker is checked against. Empty is
	// the system's. It has effect with amqps only, and is read for every connection.
	CAFile string `envconfig:"AMQP_CA_FILE"`
	// DialTimeout bounds the making of one connection, TLS and login included.
	DialTimeout time.Duration `envconfig:"AMQP_DIAL_TIMEOUT" default:"5s"`
	// Heartbeat is the interval that is asked of the broker, in whole seconds. A
	// peer that is silent for one and a half of it counts as lost.
	Heartbeat time.Duration `envconfig:"AMQP_HEARTBEAT" default:"10s"`
	// ReconnectMin is about the first pause after a lost connection; pauses double,
	// with jitter, up to ReconnectMax.
	ReconnectMin time.Duration `envconfig:"AMQP_RECONNECT_MIN" default:"100ms"`
	// ReconnectMax is the longest pause between two attempts to connect.
	ReconnectMax time.Duration `envconfig:"AMQP_RECONNECT_MAX" default:"5s"`
	// Channels is how many channels a publisher spreads its keys over.
	Channels int `envconfig:"AMQP_PUBLISH_CHANNELS" default:"4"`
	// Window is how many messages may be unconfirmed on one channel of a publisher.
	Window int `envconfig:"AMQP_PUBLISH_WINDOW" default:"512"`
	// Prefetch is how many messages a consumer holds unacknowledged, where its code
	// does not say.
	Prefetch int `envconfig:"AMQP_PREFETCH" default:"64"`
	// HoldMax is how long a message whose dependency is unavailable is held in place
	// before it goes to the last rung. Keep it well below the broker's
	// consumer_timeout (30 minutes unless configured).
	HoldMax time.Duration `envconfig:"AMQP_HOLD_MAX" default:"1m"`
}

// Defaults returns the configuration that an empty environment gives.
func Defaults() Config {
	return Config{
		URL:          "amqp://guest:guest@127.0.0.1:5672/",
		DialTimeout:  5 * time.Second,
		Heartbeat:    10 * time.Second,
		ReconnectMin: 100 * time.Millisecond,
		ReconnectMax: 5 * time.Second,
		Channels:     4,
		Window:       512,
		Prefetch:     64,
		HoldMax:      time.Minute,
	}
}

// The bounds of what Validate accepts. ConfirmMultiple of the client library looks
// at every unconfirmed message of a channel, hence the bound of the window.
const (
	maxChannels = 64
	maxWindow   = 4096
	maxPrefetch = 10_000
)

// Validate implements the contract of package config.
func (c Config) Validate() error {
	_, badURL := parseURL(c.URL.Reveal())
	return config.All(
		badURL,
		config.AtLeast("AMQP_DIAL_TIMEOUT", c.DialTimeout, 100*time.Millisecond),
		config.Between("AMQP_HEARTBEAT", c.Heartbeat, 2*time.Second, 10*time.Minute),
		config.AtLeast("AMQP_RECONNECT_MIN", c.ReconnectMin, time.Millisecond),
		config.AtLeast("AMQP_RECONNECT_MAX", c.ReconnectMax, c.ReconnectMin),
		config.Between("AMQP_PUBLISH_CHANNELS", c.Channels, 1, maxChannels),
		config.Between("AMQP_PUBLISH_WINDOW", c.Window, 1, maxWindow),
		config.Between("AMQP_PREFETCH", c.Prefetch, 1, maxPrefetch),
		config.Between("AMQP_HOLD_MAX", c.HoldMax, time.Second, 10*time.Minute),
	)
}
