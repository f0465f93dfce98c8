// Package service is what every service of the platform stands on: its database,
// outbox and inbox, its publishers and consumers, its HTTP server, and the order
// in which all of it starts and stops.
//
//	s, err := service.Open(cfg.Config, service.Options{Name: "inventory", Spec: spec, Migrations: store.Migrations()}, t)
//	...
//	s.Consume(kafka.ConsumerConfig{Group: "inventory", Topics: []string{"Orders"}}, bus.Orders(...))
//	s.Work(rabbit.ConsumerConfig{Queue: "InventoryQueue"}, bus.Commands(...))
//	s.Job("republish", republisher.Run)
//	return s.Serve(ctx)
//
// Everything starts at once and waits for what it needs: consumers and jobs for
// the migrated database, all of it for its server. Stopping goes by stages: first
// what takes in work (HTTP, consumers, jobs), then the relay, which publishes what
// they left, then the publishers.
//
//	stage 0   http, consumers, jobs
//	stage 1   relay, inbox keeper, migrator
//	stage 2   kafka and rabbitmq publishers
package service
