package main

import (
	"parley.sh/services/kit/service"
)

//go:generate go run parley.sh/hack/configdoc .

// Config is the configuration of the inventory service.
type Config struct {
	service.Config

	Inventory Inventory
}

// Inventory is what only this service has.
type Inventory struct {
	// SeedFile is a JSON file of products that are added at start if they are not
	// there yet; products that are there are left alone. Empty adds none.
	SeedFile string `envconfig:"INVENTORY_SEED_FILE"`
}
