package main

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// traceParent names the header that carries a trace (W3C Trace Context).
const traceParent = "traceparent"

// traceOf returns the trace of a context in the form in which an order keeps it.
func traceOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceParent]
}

// resume begins a span in the trace of an order, so that what time asks of it is
// found with what the customer asked.
func resume(ctx context.Context, name, trace string) (context.Context, func()) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceParent: trace})
	ctx, span := otel.Tracer("parley.sh/services/order").Start(ctx, name)
	return ctx, func() { span.End() }
}
