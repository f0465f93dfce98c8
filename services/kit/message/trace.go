package message

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const tracerName = "parley.sh/services/kit/message"

var traceContext = propagation.TraceContext{}

// Trace runs each handler in a consumer span whose parent is the span that sent
// the message, so that one trace holds an order from its POST to its label.
func Trace() Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m Message) error {
			ctx = traceContext.Extract(ctx, propagation.MapCarrier(m.Headers))
			ctx, span := otel.Tracer(tracerName).Start(ctx, "process "+m.Delivery.Place,
				trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(SpanAttributes(m)...))
			defer span.End()
			err := next(ctx, m)
			if err != nil {
				span.SetStatus(codes.Error, result(err))
			}
			return err
		}
	}
}

// Inject returns m with the trace of ctx in its headers. Without a trace in ctx m
// is returned as it is.
func Inject(ctx context.Context, m Message) Message {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return m
	}
	headers := make(map[string]string, len(m.Headers)+2)
	for k, v := range m.Headers {
		headers[k] = v
	}
	traceContext.Inject(ctx, propagation.MapCarrier(headers))
	m.Headers = headers
	return m
}

// SpanAttributes describes m by OpenTelemetry's semantic conventions for messaging.
func SpanAttributes(m Message) []attribute.KeyValue {
	place := m.Delivery.Place
	if place == "" {
		place = m.To.Name
	}
	return []attribute.KeyValue{
		attribute.String("messaging.system", string(m.To.Broker)),
		attribute.String("messaging.destination.name", place),
		attribute.String("messaging.message.id", m.ID),
		attribute.String("cloudevents.event_type", m.Type),
		attribute.String("cloudevents.event_subject", m.Subject),
	}
}
