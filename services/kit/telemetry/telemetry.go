package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// flushLimit bounds what Shutdown may take: a collector that is away must not
// hold up the end of a process.
const flushLimit = 3 * time.Second

// Telemetry is what a process is observed by. Its fields are safe for concurrent
// use and never nil.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry

	shutdown func(context.Context) error
}

// Start starts the telemetry of service, with its log on standard output, and
// sets OpenTelemetry's globals. It needs no server: an endpoint that is away is
// retried by the exporter. Call Shutdown before the process ends.
func Start(ctx context.Context, service string, cfg Config) (*Telemetry, error) {
	log := NewLog(os.Stdout, service, cfg.level())
	provider, err := newProvider(ctx, service, cfg)
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(&complaints{log: log, every: time.Minute})
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))
	return &Telemetry{Log: log, Registry: newRegistry(), shutdown: provider.Shutdown}, nil
}

// Shutdown sends the spans that are still held. It returns when they are sent,
// when ctx ends, or after three seconds; the spans that remain then are dropped
// and the error says so. Calling it again is harmless.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	done := make(chan error, 1)
	// The goroutine ends with ctx at the latest; the exporter's own waits follow it.
	go func() { done <- t.shutdown(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("flush traces: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush traces: %w", errors.Join(errDropped, ctx.Err()))
	}
}

var errDropped = errors.New("spans were dropped")

// newRegistry returns a registry with what every process shows.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}
