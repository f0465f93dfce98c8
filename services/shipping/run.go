package main

import (
	"context"
	_ "embed"

	"parley.sh/services/contract"
	"parley.sh/services/kit/rabbit"
	kitrest "parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
	"parley.sh/services/kit/telemetry"
	"parley.sh/services/shipping/internal/bus"
	"parley.sh/services/shipping/internal/carrier"
	"parley.sh/services/shipping/internal/rest"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store"
)

// spec is the contract of the API: requests are checked against it.
//
//go:embed openapi.yaml
var spec []byte

func run(ctx context.Context, cfg Config, t *telemetry.Telemetry) error {
	s, err := service.Open(cfg.Config, service.Options{ //nolint:contextcheck // it connects to nothing
		Name: contract.Shipping, Spec: spec, Migrations: store.Migrations(), Types: contract.Types(),
	}, t)
	if err != nil {
		return err
	}
	defer s.Close()
	target := kitrest.New(cfg.Carrier, kitrest.Options{Name: "carrier", Log: t.Log, Registerer: t.Registry})
	defer target.Close()
	api, err := carrier.New(target)
	if err != nil {
		return err
	}
	shipments := store.New(s.DB, s.Wake)
	labels := bus.Labels(shipping.Worker{Carrier: api}, shipments.For)
	express, standard := cfg.Labels.ExpressWorkers, cfg.Labels.StandardWorkers

	rest.Register(s.Engine(), rest.Handler{Shipments: shipments})
	s.Work(rabbit.ConsumerConfig{Queue: contract.ShippingQueue}, bus.Commands(shipments.For))
	s.Work(rabbit.ConsumerConfig{Queue: contract.ExpressLabelQueue, Prefetch: express, Workers: express}, labels)
	s.Work(rabbit.ConsumerConfig{Queue: contract.StandardLabelQueue, Prefetch: standard, Workers: standard}, labels)
	s.Job("label reminder", shipping.Reminder{
		Labels: shipments, Log: s.Log(), After: cfg.Labels.Timeout, Every: cfg.Labels.Timeout / 8,
	}.Run)
	return s.Serve(ctx)
}
