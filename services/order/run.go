package main

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"

	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/rabbit"
	kitrest "parley.sh/services/kit/rest"
	"parley.sh/services/kit/service"
	"parley.sh/services/kit/telemetry"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/rest"
	"parley.sh/services/order/internal/stock"
	"parley.sh/services/order/internal/store"
)

// spec is the contract of the API: requests are checked against it.
//
//go:embed openapi.yaml
var spec []byte

// sampleEvery is how often unsettled orders are counted.
const sampleEvery = 5 * time.Second

func run(ctx context.Context, cfg Config, t *telemetry.Telemetry) error {
	s, err := service.Open(cfg.Config, service.Options{ //nolint:contextcheck // it connects to nothing
		Name: contract.Order, Spec: spec, Migrations: store.Migrations(),
		Types: contract.Types(), Hints: []string{contract.OrderUpdates},
	}, t)
	if err != nil {
		return err
	}
	defer s.Close()
	inventory := kitrest.New(cfg.Inventory, kitrest.Options{
		Name: contract.Inventory, Log: t.Log, Registerer: t.Registry,
	})
	defer inventory.Close()
	live, err := stock.New(inventory)
	if err != nil {
		return err
	}
	meter, hints := newMetrics(t.Registry, t.Log), &order.Hints{}
	orders := store.New(s.DB, store.Options{
		Announce: bus.Announcer{NewID: newID}.Messages,
		Wrote:    wrote(s.Wake, meter, hints),
	})
	useCases := order.NewService(order.Settings{
		Store: orders, Availability: cfg.availability(live, orders, meter), Meter: meter, Timing: cfg.timing(),
		Now: now, NewID: newID, Trace: traceOf,
	})
	freshness := bus.NewFreshness(orders, time.Second, t.Log)
	sweeper := sweeper{orders: useCases, agenda: orders, resume: resume, log: t.Log}

	rest.Register(s.Engine(), rest.NewHandler(rest.Options{
		Orders: useCases, Reader: orders, Hints: hints, Open: meter.Streams,
		Tick: cfg.Order.StreamTick, Heartbeat: cfg.Order.StreamHeartbeat, MaxWait: cfg.Order.PreferWaitMax,
	}))
	s.Consume(kafka.ConsumerConfig{Group: bus.Group, Topics: bus.FactTopics()}, bus.Facts(useCases))
	s.Consume(kafka.ConsumerConfig{
		Group: bus.LevelGroup, Topics: []string{contract.TopicStock}, CaughtUp: freshness.CaughtUp,
	}, bus.Level(orders, meter.heard.SetToCurrentTime))
	s.Subscribe(rabbit.SubscriberConfig{
		Exchange: contract.OrderUpdates, Resumed: func(context.Context) { hints.NotifyAll() },
	}, bus.Hint(hints))
	s.Job("stock freshness", freshness.Run)
	s.Job("deadlines", sweeper.sweep(order.ClockDeadline, cfg.Order.SweepInterval))
	s.Job("asking again", sweeper.sweep(order.ClockAsk, cfg.Order.SweepInterval))
	s.Job("key purge", purge(orders, cfg.Order.IdempotencyKeep, t.Log))
	s.Job("unsettled orders", meter.sample(orders, sampleEvery))
	return s.Serve(ctx)
}

// wrote returns what happens after a change has become durable. A mere leg is of no
// interest to anybody: it has no message, no event and no version.
func wrote(wake func(), meter *metrics, hints *order.Hints) func(order.Change) {
	return func(c order.Change) {
		if len(c.Entries) > 0 {
			hints.Notify(c.Order.ID)
		}
		if len(c.Entries) > 0 || len(c.Work) > 0 {
			wake()
		}
		meter.Changed(c)
	}
}

// now is the clock, in the precision that the database keeps.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// newID returns a UUID of version 7. It fails only where the system has no
// randomness, and there is nothing to do then.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func (c Config) timing() order.Timing {
	return order.Timing{Deadline: c.Order.Deadline, AskAfter: c.Order.LegTimeout, AskCap: c.Order.LegTimeoutMax}
}

func (c Config) availability(live order.Stock, model order.Model, meter order.Meter) *order.Availability {
	return &order.Availability{
		Live: live, Model: model, Fallback: c.Order.Fallback, FreshWithin: c.Order.FreshWithin,
		Parallel: c.Order.Parallel, Now: now, Used: meter.Checked,
	}
}
