// Package telemetry starts what a process is observed by: a JSON log that carries
// trace ids, a Prometheus registry, and OpenTelemetry traces over OTLP/HTTP when
// an endpoint is set.
//
// It sets the one global of this code base: OpenTelemetry's tracer provider and
// propagator (W3C traceparent and baggage), because instrumented libraries find
// them nowhere else. Log and registry are passed by hand. Without an endpoint
// spans still exist and are propagated, so that logs of several services share a
// trace id; they are just not exported.
//
// Telemetry never stands in the way: exporting is asynchronous, a collector that
// is away costs dropped spans and one log line a minute, and Shutdown returns
// within its context's time or three seconds, whichever is shorter.
package telemetry
