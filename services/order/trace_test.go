package main

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func TestAnOrderKeepsItsTrace(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	request := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceParent: parent})
	if got := traceOf(request); got != parent {
		t.Errorf("the order keeps %q, want %q", got, parent)
	}
	resumed, end := resume(context.Background(), "order ask", traceOf(request))
	defer end()
	if got := trace.SpanContextFromContext(resumed).TraceID().String(); got != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("what time asks has trace %s", got)
	}
	if got := traceOf(context.Background()); got != "" {
		t.Errorf("a request without a trace has %q", got)
	}
	for _, nothing := range []string{"", "garbage"} {
		ctx, end := resume(context.Background(), "order ask", nothing)
		if traceOf(ctx) != "" {
			t.Errorf("%q became a trace", nothing)
		}
		end()
	}
}
