package web

import (
	"cmp"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/fault"
)

const instrumentation = "parley.sh/services/kit/web"

// unmatched is the route of requests that no handler was registered for.
const unmatched = "unmatched"

// observe gives a request its id and its span, and leaves one log line and its
// metrics behind.
func (s *Server) observe(c *gin.Context) {
	start := time.Now()
	id := requestID(c.Request.Header.Get(RequestIDHeader))
	c.Writer.Header().Set(RequestIDHeader, id)
	c.Writer.Header().Set("X-Content-Type-Options", "nosniff")
	if s.health.isDraining() {
		c.Writer.Header().Set("Connection", "close")
	}
	route := cmp.Or(c.FullPath(), unmatched)
	ctx := otel.GetTextMapPropagator().Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	ctx, span := otel.Tracer(instrumentation).Start(ctx, method(c.Request)+" "+route,
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("http.request.method", method(c.Request)),
			attribute.String("http.route", route),
			attribute.String("url.path", shortened(c.Request.URL.Path)),
			attribute.String("request_id", id),
		))
	defer span.End()
	c.Request = c.Request.WithContext(withRequestID(ctx, id))

	c.Next()

	status := c.Writer.Status()
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, fault.KindOf(failure(c)).String())
	}
	elapsed := time.Since(start)
	s.metrics.observe(method(c.Request), route, status, elapsed)
	s.logRequest(c, route, status, elapsed)
}

// failure returns what WriteError was given, or nil.
func failure(c *gin.Context) error {
	err, _ := c.Value(errorKey).(error)
	return err
}

// levelOf returns how much a request matters. It is an error only when the fault is
// ours; the endpoints of operation matter to nobody: a change of health is logged
// where it is noticed, and probes ask every few seconds.
func levelOf(route string, status int) slog.Level {
	switch {
	case operational[route] && status != http.StatusInternalServerError:
		return slog.LevelDebug
	case status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// logRequest writes the one line of a request.
func (s *Server) logRequest(c *gin.Context, route string, status int, elapsed time.Duration) {
	level := levelOf(route, status)
	ctx := c.Request.Context()
	attrs := []slog.Attr{
		slog.String("request_id", RequestID(ctx)),
		slog.String("method", method(c.Request)),
		slog.String("route", route),
		slog.String("path", shortened(c.Request.URL.Path)),
		slog.Int("status", status),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Float64("duration_ms", float64(elapsed.Microseconds())/1000),
		slog.String("client", clientHost(c.Request)),
	}
	if err := failure(c); err != nil {
		attrs = append(attrs, slog.String("kind", fault.KindOf(err).String()), slog.Any("err", err))
	}
	s.opts.Log.LogAttrs(ctx, level, "request handled", attrs...)
}

// clientHost returns the peer's address. What headers say about it is not trusted.
func clientHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// method returns the request's method; those that HTTP does not know are one, so
// that no client can make series of metrics.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "other"
}
