package rest

import (
	"context"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// asClient is made once: a slice for each attempt would be a large part of its cost.
var asClient = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

// startSpan starts the client span of attempt n: one for each request that goes
// out, as the semantic conventions for HTTP have it.
func (c *call) startSpan(ctx context.Context, n int32) (context.Context, trace.Span) {
	method := c.request.Method
	if method == "" {
		method = "GET"
	}
	ctx, span := c.tracer.Start(ctx, method, asClient...)
	if !span.IsRecording() {
		return ctx, span
	}
	u := c.request.URL
	span.SetAttributes(
		attribute.String("http.request.method", method),
		attribute.String("server.address", u.Hostname()),
		attribute.String("url.full", bare(u)),
		attribute.String("peer.service", c.name),
	)
	if port, err := strconv.Atoi(u.Port()); err == nil {
		span.SetAttributes(attribute.Int("server.port", port))
	}
	if n > 1 {
		span.SetAttributes(attribute.Int("http.request.resend_count", int(n-1)))
	}
	return ctx, span
}

// bare leaves out what may be somebody's data: the query, and a password.
func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func endSpan(span trace.Span, a *answer) {
	if span.IsRecording() {
		if a.response != nil {
			span.SetAttributes(attribute.Int("http.response.status_code", a.response.StatusCode))
		}
		if a.outcome != answered {
			span.SetAttributes(attribute.String("error.type", a.outcome.String()))
			span.SetStatus(codes.Error, a.outcome.String())
		}
	}
	span.End()
}
