package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"parley.sh/hack/local/process"
	"parley.sh/hack/local/server"
	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

func testCommand() *cobra.Command {
	var fullJIT bool
	c := &cobra.Command{
		Use:   "test -- COMMAND [ARGS...]",
		Short: "Start the three servers on free ports, run a command with their addresses, stop them",
		Long: "Start Kafka, RabbitMQ and PostgreSQL on free ports with state in a temporary folder, run the command with KAFKA_BROKERS, " +
			"AMQP_URL, AMQP_MANAGEMENT_URL, DATABASE_URL and REQUIRE_BROKERS=1 in its environment, stop the servers and exit as the " +
			"command did. Servers that the environment names are used instead.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return test(c.Context(), fullJIT, args) },
	}
	c.Flags().BoolVar(&fullJIT, "full-jit", false, "let Kafka's JVM optimize: slower to start, for benchmarks")
	return c
}

func test(ctx context.Context, fullJIT bool, command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "parley-test-")
	if err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	b := &bench{dir: dir, progress: step.New(os.Stderr), use: servers()}
	defer func() { _ = os.RemoveAll(dir) }()
	err = b.start(ctx, fullJIT)
	if err == nil {
		err = b.run(ctx, path, command)
	}
	return errors.Join(err, b.stop(context.WithoutCancel(ctx)))
}

// bench is the servers that a command is run against.
type bench struct {
	dir      string
	progress *step.Printer
	// use are the servers' addresses: those of the environment, then those of the servers that were started.
	use     stack.Servers
	started []*server.Server
}

func (b *bench) options(name string) server.Options {
	return server.Options{Dir: filepath.Join(b.dir, name), Progress: b.progress}
}

// start makes and starts, side by side, the servers that the environment does not name.
func (b *bench) start(ctx context.Context, fullJIT bool) error {
	if b.use.Kafka == "" {
		k, err := server.NewKafka(server.KafkaOptions{Options: b.options(stack.Kafka), FullJIT: fullJIT})
		if err != nil {
			return err
		}
		b.use.Kafka, b.started = k.Addr(), append(b.started, k.Server)
	}
	if b.use.AMQP == "" {
		r, err := server.NewRabbit(server.RabbitOptions{Options: b.options(stack.RabbitMQ)})
		if err != nil {
			return err
		}
		b.use.AMQP, b.use.Management, b.started = r.URL(), r.ManagementURL(), append(b.started, r.Server)
	}
	if b.use.Database == "" {
		p, err := server.NewPostgres(server.PostgresOptions{Options: b.options(stack.Postgres)})
		if err != nil {
			return err
		}
		b.use.Database, b.started = p.URL(), append(b.started, p.Server)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range b.started {
		group.Go(func() error { return s.Start(ctx) })
	}
	return group.Wait()
}

// run runs the command to its end.
func (b *bench) run(ctx context.Context, path string, command []string) error {
	p, err := process.Start(process.Command{
		Name: command[0], Path: path, Args: command[1:], Inherit: true, Marker: b.dir,
		Env: append(os.Environ(), b.environment()...),
	})
	if err != nil {
		return err
	}
	start := time.Now()
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(exitCode(130), p.Stop(context.WithoutCancel(ctx)))
	}
	b.progress.Say("%s: %s, %s", strings.Join(command[:min(2, len(command))], " "), p.Reason(), time.Since(start).Round(time.Second))
	if err := b.died(); err != nil {
		return err
	}
	var ended *exec.ExitError
	if errors.As(p.Err(), &ended) {
		return exitCode(max(1, ended.ExitCode()))
	}
	return p.Err()
}

func (b *bench) environment() []string {
	env := []string{"KAFKA_BROKERS=" + b.use.Kafka, "AMQP_URL=" + b.use.AMQP, "DATABASE_URL=" + b.use.Database, "REQUIRE_BROKERS=1"}
	if b.use.Management != "" {
		env = append(env, "AMQP_MANAGEMENT_URL="+b.use.Management)
	}
	return env
}

// died tells of a server that ended during the run: what the command reports then is not its own fault.
func (b *bench) died() error {
	for _, s := range b.started {
		if p := s.Process(); !p.Alive() {
			log, _ := os.ReadFile(s.LogFile())
			return fmt.Errorf("%s ended during the run (%s); its log:\n%s", s.Name(), p.Reason(), log[max(0, len(log)-4000):])
		}
	}
	return nil
}

func (b *bench) stop(ctx context.Context) error {
	var group errgroup.Group
	for _, s := range b.started {
		group.Go(func() error { return s.Stop(ctx) })
	}
	return group.Wait()
}
