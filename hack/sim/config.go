package main

import (
	"time"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/lifecycle"
)

// Config is the environment of the simulator.
type Config struct {
	lifecycle.Config

	// Addr is where it listens.
	Addr string `envconfig:"SIM_ADDR" default:"127.0.0.1:8090"`
	// Data is the folder of its state. It is made if it is not there.
	Data string `envconfig:"SIM_DATA" default:".local/sim"`
	// Slow is the delay of tok_slow and tok_late. Keep it above the callers' timeouts.
	Slow time.Duration `envconfig:"SIM_SLOW" default:"3s"`
	// Latency is added to every request; 0 adds none.
	Latency time.Duration `envconfig:"SIM_LATENCY" default:"0s"`
}

// Validate implements the contract of package config.
func (c Config) Validate() error {
	return config.All(
		config.Address("SIM_ADDR", c.Addr),
		config.Between("SIM_SLOW", c.Slow, 0, time.Hour),
		config.Between("SIM_LATENCY", c.Latency, 0, time.Minute),
	)
}
