package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
)

// Options are what a Server is given besides its Config.
type Options struct {
	// Service is the name that the API page and the traces show.
	Service string
	// Spec is the API's document. Nil means that nothing is validated and that there
	// is no API page. The server keeps it: do not change it afterwards.
	Spec *openapi3.T
	// Log is required.
	Log *slog.Logger
	// Registry is shown at /metrics and gets the server's own metrics. Required.
	Registry *prometheus.Registry
	// Health decides /readyz; nil means ready unless draining.
	Health *Health
	// Streams names routes that are streams though the document does not say so, as
	// "GET /api/things/{id}/events".
	Streams []string
	// DrainDelay is how long Run goes on accepting after readiness went off.
	DrainDelay time.Duration
}

// Server is an HTTP server. Register handlers on Engine before Run.
type Server struct {
	// Engine routes requests; its middleware is in place.
	Engine *gin.Engine

	cfg     Config
	opts    Options
	health  *Health
	metrics *metrics
	api     *api
	slots   *slots // of requests
	streams *slots // of streams

	listening chan struct{}
	addr      net.Addr
	ending    context.Context // ended when streams must end
	end       context.CancelFunc
}

// New makes a server with its endpoints of operation: /healthz, /readyz, /metrics
// and, given a document, /openapi.json and /docs. It fails when the document is
// not valid, or uses keywords in requests that validation does not know.
func New(cfg Config, opts Options) (*Server, error) {
	if opts.Log == nil || opts.Registry == nil {
		return nil, errors.New("make the web server: it needs a log and a registry")
	}
	description, err := newAPI(opts.Spec, opts.Streams)
	if err != nil {
		return nil, fmt.Errorf("read the API document: %w", err)
	}
	health := opts.Health
	if health == nil {
		health = &Health{}
	}
	s := &Server{
		cfg: cfg, opts: opts, health: health, api: description,
		slots: newSlots(cfg.MaxInFlight), streams: newSlots(cfg.MaxStreams),
		listening: make(chan struct{}),
	}
	if s.metrics, err = newMetrics(opts.Registry, s); err != nil {
		return nil, err
	}
	health.watch(opts.Log)
	s.ending, s.end = context.WithCancel(context.Background())
	s.Engine = newEngine()
	s.Engine.Use(s.observe, s.recoverPanic, s.limitSize, s.limitConcurrency, s.limitTime, s.readBody, s.validate)
	s.Engine.NoRoute(func(c *gin.Context) { WriteError(c, fault.New(fault.NotFound, "there is no such resource")) })
	s.Engine.NoMethod(func(c *gin.Context) {
		WriteError(c, Status(http.StatusMethodNotAllowed, fault.New(fault.Invalid, "the resource has no such method")))
	})
	if err := s.operate(); err != nil {
		return nil, err
	}
	return s, nil
}

// newEngine returns a Gin engine without any of its own output.
func newEngine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.ContextWithFallback = true
	e.ForwardedByClientIP = false
	return e
}

// Context returns the request's own context, which, unlike c, may be used after
// the request.
func Context(c *gin.Context) context.Context { return c.Request.Context() }

// Handle adapts a handler that returns its error. It is for routes that are not
// generated from a document.
func Handle(h func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			WriteError(c, err)
		}
	}
}
