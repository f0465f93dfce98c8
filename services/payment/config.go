package main

import (
	"parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
)

//go:generate go run parley.sh/hack/configdoc .

// Config is the configuration of the payment service.
type Config struct {
	service.Config

	// Provider is the payment provider.
	Provider rest.Config `envconfig:"PAYMENT_PROVIDER"`
}
