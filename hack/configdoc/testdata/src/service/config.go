// Package service is read by the test of configdoc.
package service

import (
	"time"

	"example.test/kit/part"
)

// Config is a service's configuration.
type Config struct {
	part.Config

	// Timeout is how long to wait; 0 means a|b.
	Timeout time.Duration `envconfig:"TIMEOUT" default:"30s"`
	// Names lists what is known,
	// in order.
	//
	// An empty list means everything.
	Names []string `envconfig:"NAMES"`
	Local  Local
	Again  part.Other
	// Target has variables of its own: their names begin with its tag.
	Target part.Other `envconfig:"TARGET"`
	// Hidden is not read from the environment.
	Hidden string `ignored:"true"`
}

// Local is a part in the same package.
type Local struct {
	// Share is the part of it, 0 to 1.
	Share float64 `envconfig:"SHARE" default:"0.5"`
	// On turns it on.
	On bool `envconfig:"ON"`
}
