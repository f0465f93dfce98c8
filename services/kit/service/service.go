package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/rabbit"
	"parley.sh/services/kit/telemetry"
	"parley.sh/services/kit/web"
)

// Options are what makes one service differ from another.
type Options struct {
	// Name is the service's name.
	Name string
	// Spec is the OpenAPI document of its API.
	Spec []byte
	// Migrations are the schemas it needs, the inbox's and the outbox's included.
	Migrations []postgres.Migrations
	// Types are the message types that metrics name.
	Types []string
	// Hints are the exchanges whose messages may reach no queue.
	Hints []string
}

// Service is an opened service. Add consumers and jobs, register the API on
// Engine, then Serve. It is for one goroutine until Serve.
type Service struct {
	DB     *postgres.DB
	Health *web.Health

	cfg    Config
	o      Options
	t      *telemetry.Telemetry
	server *web.Server
	relay  *outbox.Relay
	intake lifecycle.Stage
	middle lifecycle.Stage
	last   lifecycle.Stage
}

// Open builds a service without connecting to anything. An error means that the
// configuration or the document is not usable. The caller closes it.
func Open(cfg Config, o Options, t *telemetry.Telemetry) (*Service, error) {
	db, err := postgres.Open(cfg.Database, postgres.Options{Log: t.Log, Registerer: t.Registry, Application: o.Name})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Service{DB: db, Health: &web.Health{}, cfg: cfg, o: o, t: t}
	s.Health.Ready("database", db.Ready)
	s.openMessaging()
	if err := s.openServer(); err != nil {
		db.Close()
		return nil, fmt.Errorf("open the server: %w", err)
	}
	return s, nil
}

func (s *Service) openMessaging() {
	toKafka := kafka.NewPublisher(s.cfg.Kafka, kafka.Options{Log: s.t.Log, Registerer: s.t.Registry})
	toRabbit := rabbit.NewPublisher(s.cfg.RabbitMQ, s.rabbitOptions())
	s.relay = outbox.NewRelay(s.DB, s.cfg.Outbox, map[message.Broker]message.Publisher{
		message.Kafka: toKafka, message.RabbitMQ: toRabbit,
	}, outbox.Options{Log: s.t.Log, Registerer: s.t.Registry})
	keeper := inbox.NewKeeper(s.DB, s.cfg.Inbox, inbox.Options{Log: s.t.Log, Registerer: s.t.Registry})
	s.middle = lifecycle.Stage{
		{Name: "migrations", Run: s.DB.Migrator(s.o.Migrations...).Run},
		{Name: "outbox relay", Run: s.DB.After(s.relay.Run)},
		{Name: "inbox keeper", Run: s.DB.After(keeper.Run)},
	}
	s.last = lifecycle.Stage{
		{Name: "kafka publisher", Run: toKafka.Run},
		{Name: "rabbitmq publisher", Run: toRabbit.Run},
	}
	s.detail("kafka publisher", toKafka.Err)
	s.detail("rabbitmq publisher", toRabbit.Err)
}

func (s *Service) openServer() error {
	document, err := openapi3.NewLoader().LoadFromData(s.o.Spec)
	if err != nil {
		return fmt.Errorf("read the API's document: %w", err)
	}
	s.server, err = web.New(s.cfg.Web, web.Options{
		Service: s.o.Name, Spec: document, Log: s.t.Log, Registry: s.t.Registry, Health: s.Health,
		DrainDelay: s.cfg.DrainDelay,
	})
	if err != nil {
		return err
	}
	s.server.Engine.Use(s.awaitSchema)
	s.intake = append(s.intake, lifecycle.Part{Name: "http", Run: s.server.Run})
	return nil
}

// awaitSchema refuses requests of the API until the database is migrated: a table
// that is not there yet would look like a defect.
func (s *Service) awaitSchema(c *gin.Context) {
	select {
	case <-s.DB.Migrated():
	default:
		web.WriteError(c, &fault.Error{
			Kind: fault.Unavailable, Public: "the service waits for its database", RetryAfter: time.Second,
		})
	}
}

func (s *Service) rabbitOptions() rabbit.Options {
	return rabbit.Options{
		Name: s.o.Name, Log: s.t.Log, Registerer: s.t.Registry, Optional: s.o.Hints,
	}
}

// Close closes what Open opened. Call it after Serve has returned.
func (s *Service) Close() { s.DB.Close() }

// Engine routes the requests of the API; its middleware is in place.
func (s *Service) Engine() *gin.Engine { return s.server.Engine }

// Log returns the service's log.
func (s *Service) Log() *slog.Logger { return s.t.Log }

// Wake tells the relay that a transaction left something to publish.
func (s *Service) Wake() { s.relay.Wake() }

// Consume adds a consumer of Kafka topics.
func (s *Service) Consume(c kafka.ConsumerConfig, h message.Handler) {
	consumer := kafka.NewConsumer(s.cfg.Kafka, c, s.standard(h),
		kafka.Options{Log: s.t.Log, Registerer: s.t.Registry})
	s.take("kafka group "+c.Group, consumer.Run, consumer.Err)
}

// Work adds a consumer of a RabbitMQ queue.
func (s *Service) Work(c rabbit.ConsumerConfig, h message.Handler) {
	consumer := rabbit.NewConsumer(s.cfg.RabbitMQ, c, s.standard(h), s.rabbitOptions())
	s.take("rabbitmq queue "+c.Queue, consumer.Run, consumer.Err)
}

// Subscribe adds a subscriber to a fanout of hints.
func (s *Service) Subscribe(c rabbit.SubscriberConfig, fn func(context.Context, message.Message)) {
	subscriber := rabbit.NewSubscriber(s.cfg.RabbitMQ, c, fn, s.rabbitOptions())
	s.intake = append(s.intake, lifecycle.Part{Name: "rabbitmq exchange " + c.Exchange, Run: subscriber.Run})
	s.detail("rabbitmq exchange "+c.Exchange, subscriber.Err)
}

// Job adds a long-running part that needs the database.
func (s *Service) Job(name string, run func(context.Context) error) {
	s.intake = append(s.intake, lifecycle.Part{Name: name, Run: s.DB.After(run)})
}

// Serve runs everything until ctx ends, and stops it in order.
func (s *Service) Serve(ctx context.Context) error {
	return lifecycle.Serve(ctx, s.cfg.Config, s.intake, s.middle, s.last)
}

func (s *Service) take(name string, run func(context.Context) error, state func() error) {
	s.intake = append(s.intake, lifecycle.Part{Name: name, Run: s.DB.After(run)})
	s.detail(name, state)
}

// detail shows a broker's state in /readyz. It takes nothing out of service.
func (s *Service) detail(name string, state func() error) {
	s.Health.Detail(name, func(context.Context) error { return state() })
}

func (s *Service) standard(h message.Handler) message.Handler {
	return message.Standard(h, message.Options{
		Log: s.t.Log, Registerer: s.t.Registry, Timeout: s.cfg.Messages.HandlerTimeout, Types: s.o.Types,
	})
}
