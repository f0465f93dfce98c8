package main

import (
	"context"
	_ "embed"
	"fmt"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/bus"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/rest"
	"parley.sh/services/inventory/internal/store"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/rabbit"
	"parley.sh/services/kit/service"
	"parley.sh/services/kit/telemetry"
)

// spec is the contract of the API: requests are checked against it.
//
//go:embed openapi.yaml
var spec []byte

func run(ctx context.Context, cfg Config, t *telemetry.Telemetry) error {
	seed, err := inventory.ReadSeed(cfg.Inventory.SeedFile)
	if err != nil {
		return fmt.Errorf("INVENTORY_SEED_FILE: %w", err)
	}
	s, err := service.Open(cfg.Config, service.Options{ //nolint:contextcheck // it connects to nothing
		Name: contract.Inventory, Spec: spec, Migrations: store.Migrations(), Types: contract.Types(),
	}, t)
	if err != nil {
		return err
	}
	defer s.Close()
	products := store.New(s.DB, s.Wake)
	seeder := inventory.NewSeeder(products, seed, s.Log())

	rest.Register(s.Engine(), rest.Handler{Catalogue: products})
	s.Consume(kafka.ConsumerConfig{Group: contract.Inventory, Topics: []string{contract.TopicOrders}},
		bus.Orders(products.Once))
	s.Work(rabbit.ConsumerConfig{Queue: contract.InventoryQueue}, bus.Commands(products.Once))
	s.Health.Ready("catalogue", seeder.Ready)
	s.Job("seed", seeder.Run)
	s.Job("republish", inventory.Republisher{Levels: products, Log: s.Log()}.Run)
	return s.Serve(ctx)
}
