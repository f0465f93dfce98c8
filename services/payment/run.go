package main

import (
	"context"
	_ "embed"

	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/rabbit"
	kitrest "parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
	"parley.sh/services/kit/telemetry"
	"parley.sh/services/payment/internal/bus"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/provider"
	"parley.sh/services/payment/internal/rest"
	"parley.sh/services/payment/internal/store"
)

// spec is the contract of the API: requests are checked against it.
//
//go:embed openapi.yaml
var spec []byte

func run(ctx context.Context, cfg Config, t *telemetry.Telemetry) error {
	s, err := service.Open(cfg.Config, service.Options{ //nolint:contextcheck // it connects to nothing
		Name: contract.Payment, Spec: spec, Migrations: store.Migrations(), Types: contract.Types(),
	}, t)
	if err != nil {
		return err
	}
	defer s.Close()
	target := kitrest.New(cfg.Provider, kitrest.Options{Name: "payment provider", Log: t.Log, Registerer: t.Registry})
	defer target.Close()
	api, err := provider.New(target)
	if err != nil {
		return err
	}
	payments := store.New(s.DB, s.Wake)
	handler := payment.Handler{Provider: api}

	rest.Register(s.Engine(), rest.Handler{Payments: payments})
	s.Consume(kafka.ConsumerConfig{Group: contract.Payment, Topics: []string{contract.TopicOrders}},
		bus.Orders(handler, payments.For))
	s.Work(rabbit.ConsumerConfig{Queue: contract.PaymentQueue}, bus.Commands(handler, payments.For))
	return s.Serve(ctx)
}
