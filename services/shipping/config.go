package main

import (
	"time"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
)

//go:generate go run parley.sh/hack/configdoc .

// Config is the configuration of the shipping service.
type Config struct {
	service.Config

	// Carrier is the carrier.
	Carrier rest.Config `envconfig:"CARRIER"`
	Labels  Labels
}

// Labels tunes the label workers.
type Labels struct {
	// ExpressWorkers is how many express labels one replica gets at once.
	ExpressWorkers int `envconfig:"EXPRESS_LABEL_WORKERS" default:"16"`
	// StandardWorkers is how many standard labels one replica gets at once.
	StandardWorkers int `envconfig:"STANDARD_LABEL_WORKERS" default:"16"`
	// Timeout is how long a shipment may wait for its label before PrintLabel is sent
	// again, under a new message id.
	Timeout time.Duration `envconfig:"LABEL_TIMEOUT" default:"2m"`
}

// Validate implements the contract of package config.
func (l Labels) Validate() error {
	return config.All(
		config.Between("EXPRESS_LABEL_WORKERS", l.ExpressWorkers, 1, 1000),
		config.Between("STANDARD_LABEL_WORKERS", l.StandardWorkers, 1, 1000),
		config.Between("LABEL_TIMEOUT", l.Timeout, time.Second, 24*time.Hour),
	)
}
