package main

import (
	"time"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
	"parley.sh/services/order/internal/order"
)

//go:generate go run parley.sh/hack/configdoc .

// Config is the configuration of the order service.
type Config struct {
	service.Config

	// Inventory is where stock is checked.
	Inventory rest.Config `envconfig:"INVENTORY"`
	Order     Order
}

// Order is what only this service has.
type Order struct {
	// Fallback says what becomes of an order while inventory does not answer:
	// refuse (503), read-model (check against what inventory published, while that is
	// fresh) or read-model-then-deferred (beyond that, take the order at the last known
	// price and let inventory's reservation decide).
	Fallback order.Fallback `envconfig:"STOCK_FALLBACK" default:"read-model"`
	// FreshWithin is how far the read model of stock may be behind to be used.
	FreshWithin time.Duration `envconfig:"STOCK_FRESH_WITHIN" default:"10s"`
	// Parallel is how many items of one order are checked at once.
	Parallel int `envconfig:"STOCK_PARALLEL" default:"8"`

	// Deadline is how long an order may take to be shipped or cancelled before it
	// is cancelled, or asked to be.
	Deadline time.Duration `envconfig:"ORDER_DEADLINE" default:"15m"`
	// LegTimeout is how long stock, payment or shipping may leave an order open before
	// it is asked again; the pause doubles each time.
	LegTimeout time.Duration `envconfig:"LEG_TIMEOUT" default:"2m"`
	// LegTimeoutMax is where the doubling ends.
	LegTimeoutMax time.Duration `envconfig:"LEG_TIMEOUT_MAX" default:"1h"`
	// SweepInterval is how often deadlines and open legs are looked for.
	SweepInterval time.Duration `envconfig:"SWEEP_INTERVAL" default:"1s"`
	// IdempotencyKeep is how long an Idempotency-Key is remembered.
	IdempotencyKeep time.Duration `envconfig:"IDEMPOTENCY_KEEP" default:"168h"`

	// PreferWaitMax bounds how long "Prefer: wait=N" holds an answer. The answer comes
	// before HTTP_REQUEST_TIMEOUT in any case.
	PreferWaitMax time.Duration `envconfig:"PREFER_WAIT_MAX" default:"10s"`
	// StreamTick is how often a watched order is read when no hint of a change comes.
	StreamTick time.Duration `envconfig:"STREAM_TICK" default:"2s"`
	// StreamHeartbeat is how often an event stream gets a comment.
	StreamHeartbeat time.Duration `envconfig:"STREAM_HEARTBEAT" default:"15s"`
}

// Validate implements the contract of package config.
func (o Order) Validate() error {
	return config.All(
		config.OneOf("STOCK_FALLBACK", o.Fallback, order.Refuse, order.ReadModel, order.ReadModelThenDeferred),
		config.AtLeast("STOCK_FRESH_WITHIN", o.FreshWithin, 2*time.Second),
		config.Between("STOCK_PARALLEL", o.Parallel, 1, order.MaxItems),
		config.AtLeast("ORDER_DEADLINE", o.Deadline, time.Second),
		config.AtLeast("LEG_TIMEOUT", o.LegTimeout, time.Second),
		config.AtLeast("LEG_TIMEOUT_MAX", o.LegTimeoutMax, o.LegTimeout),
		config.AtLeast("SWEEP_INTERVAL", o.SweepInterval, 10*time.Millisecond),
		config.AtLeast("IDEMPOTENCY_KEEP", o.IdempotencyKeep, time.Minute),
		config.Between("PREFER_WAIT_MAX", o.PreferWaitMax, 0, 5*time.Minute),
		config.AtLeast("STREAM_TICK", o.StreamTick, 10*time.Millisecond),
		config.AtLeast("STREAM_HEARTBEAT", o.StreamHeartbeat, time.Second),
	)
}
