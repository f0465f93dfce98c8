package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley.sh/hack/local/process"
	"parley.sh/hack/local/server"
)

// Stack is the platform on one machine. Make one with New. Its methods are safe for concurrent use, but Start and Stop.
type Stack struct {
	options Options
	// databases maps a service to the URL of its database.
	databases map[string]string

	kafka    *server.Kafka
	rabbit   *server.Rabbit
	postgres *server.Postgres
	sim      *server.Service
	// programs are the services by process name.
	programs map[string]*server.Service
	// order of start.
	order []string

	stateMu sync.Mutex
	// unwatch ends the keepers.
	unwatch context.CancelFunc
	keepers sync.WaitGroup
}

// New chooses the ports of everything and starts nothing.
func New(o Options) (*Stack, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Stack{
		options: o, databases: map[string]string{}, programs: map[string]*server.Service{}, unwatch: func() {},
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "passwords"), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of the stack: %w", err)
	}
	for _, step := range []func() error{s.makeServers, s.nameDatabases, s.makeSim, s.makeServices} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeServers chooses the servers that are not there already.
func (s *Stack) makeServers() error {
	var err error
	if s.options.Use.Kafka == "" {
		if s.kafka, err = server.NewKafka(server.KafkaOptions{Options: s.common(Kafka)}); err != nil {
			return err
		}
	}
	if s.options.Use.AMQP == "" {
		s.rabbit, err = server.NewRabbit(server.RabbitOptions{
			Options:           s.common(RabbitMQ),
			ManagementPort:    s.options.Ports[RabbitManagement],
			ManagementSetting: s.options.PortSettings[RabbitManagement],
		})
		if err != nil {
			return err
		}
	}
	if s.options.Use.Database == "" {
		if s.postgres, err = server.NewPostgres(server.PostgresOptions{Options: s.common(Postgres)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) common(name string) server.Options {
	return server.Options{
		Dir:         filepath.Join(s.options.Dir, name),
		Port:        s.options.Ports[name],
		PortSetting: s.options.PortSettings[name],
		Progress:    s.options.Progress,
	}
}

// Start starts everything and returns when every process is ready. After an error nothing of it runs.
func (s *Stack) Start(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	if s.options.Supervise {
		s.supervise(context.WithoutCancel(ctx))
	}
	return nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.save(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{s.startServers, s.prepare, s.startServices} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return s.options.Progress.Do(ctx, "wait until every service is ready", func(ctx context.Context) error {
		return s.WaitReady(ctx)
	})
}

// startServers starts the servers side by side, and builds the programs meanwhile.
func (s *Stack) startServers(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range []string{Kafka, RabbitMQ, Postgres} {
		if unit := s.unit(name); unit != nil {
			group.Go(func() error { return s.startUnit(ctx, unit) })
		}
	}
	if s.options.Build != nil {
		group.Go(func() error { return s.options.Build(ctx) })
	}
	return group.Wait()
}

// prepare makes the databases, applies the topology and starts the simulator side by side.
func (s *Stack) prepare(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.makeDatabases(ctx) })
	group.Go(func() error { return s.applyTopology(ctx) })
	group.Go(func() error { return s.startUnit(ctx, s.sim.Server) })
	return group.Wait()
}

func (s *Stack) startServices(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range s.order {
		group.Go(func() error { return s.startUnit(ctx, s.unit(name)) })
	}
	return group.Wait()
}

// startUnit starts one process and notes it in the state file.
func (s *Stack) startUnit(ctx context.Context, unit *server.Server) error {
	if err := unit.Start(ctx); err != nil {
		return err
	}
	return s.save()
}

// unit is the process of a name; nil when the stack has none of that name.
func (s *Stack) unit(name string) *server.Server {
	switch {
	case name == Kafka && s.kafka != nil:
		return s.kafka.Server
	case name == RabbitMQ && s.rabbit != nil:
		return s.rabbit.Server
	case name == Postgres && s.postgres != nil:
		return s.postgres.Server
	case name == Sim && s.sim != nil:
		return s.sim.Server
	case s.programs[name] != nil:
		return s.programs[name].Server
	}
	return nil
}

// Names lists the processes of the stack: servers that it runs itself, the simulator, then services.
func (s *Stack) Names() []string {
	var names []string
	for _, name := range []string{Kafka, RabbitMQ, Postgres, Sim} {
		if s.unit(name) != nil {
			names = append(names, name)
		}
	}
	return append(names, s.order...)
}

// Kill sends SIGKILL to a process and all that it started, and returns when it is gone.
func (s *Stack) Kill(name string) error {
	unit := s.unit(name)
	if unit == nil {
		return fmt.Errorf("kill %s: the stack has %q", name, s.Names())
	}
	return unit.Kill()
}

// Restart starts a process again, stopping it gracefully first when it runs, and returns when it answers: a server its
// protocol, a service /healthz. It keeps its ports, its state and its environment.
func (s *Stack) Restart(ctx context.Context, name string) error {
	unit := s.unit(name)
	if unit == nil {
		return fmt.Errorf("restart %s: the stack has %q", name, s.Names())
	}
	if err := unit.Stop(ctx); err != nil {
		return err
	}
	return s.startUnit(ctx, unit)
}

// WaitReady waits until the named services answer that they are ready; without names, all of them.
func (s *Stack) WaitReady(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = s.order
	}
	for _, name := range names {
		program := s.programs[name]
		if program == nil {
			return fmt.Errorf("wait for %s: it is none of %q", name, s.order)
		}
		if err := waitReady(ctx, program); err != nil {
			return err
		}
	}
	return nil
}

func waitReady(ctx context.Context, program *server.Service) error {
	const pause = 100 * time.Millisecond
	for {
		err := program.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s is ready: %w: %w", program.Name(), ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// Stop ends everything that the stack started: services first, then the simulator and the servers. What does not end by itself
// is killed.
func (s *Stack) Stop(ctx context.Context) error {
	s.unwatch()
	s.keepers.Wait()
	return s.options.Progress.Do(ctx, "stop everything", func(ctx context.Context) error {
		err := s.stopAll(ctx, s.order)
		err = errors.Join(err, s.stopAll(ctx, []string{Sim, Kafka, RabbitMQ, Postgres}))
		return errors.Join(err, os.RemoveAll(s.stateFile()))
	})
}

func (s *Stack) stopAll(ctx context.Context, names []string) error {
	var group errgroup.Group
	for _, name := range names {
		if unit := s.unit(name); unit != nil {
			group.Go(func() error { return unit.Stop(ctx) })
		}
	}
	return group.Wait()
}

// Process identifies the running process of a name; the zero Identity when there is none.
func (s *Stack) Process(name string) process.Identity {
	unit := s.unit(name)
	if unit == nil || unit.Process() == nil || !unit.Process().Alive() {
		return process.Identity{}
	}
	return process.Identity{PID: unit.Process().PID(), Started: unit.Process().Started()}
}
