package rest

import (
	"log/slog"
	"math"
	"net/http"
	"strings"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// Options are the surroundings of a Client.
type Options struct {
	// Name is the target's name in metrics, logs and errors, such as "inventory". It is
	// unique in the process: two clients of one name would share their gauges.
	Name string
	// Log hears of changes of the breaker's state. Nil is silent.
	Log *slog.Logger
	// Registerer takes the metrics. Nil leaves them out.
	Registerer prometheus.Registerer
	// TracerProvider makes the spans. Nil is OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// Transport sends single attempts. Nil is a pool of connections of the client's own,
	// tuned by its Config; anything else decides about connections itself.
	Transport http.RoundTripper
}

// Client calls one target. It satisfies the HttpRequestDoer of generated clients.
// It is safe for concurrent use; its zero value is not usable.
type Client struct {
	target *target
	http   *http.Client
}

// New returns a client of the target that cfg describes. It does not connect. cfg
// must be valid: see DefaultConfig and Config.Validate.
func New(cfg Config, opts Options) *Client {
	t := newTarget(cfg, opts)
	return &Client{
		target: t,
		http: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Do sends req and returns the answer, whatever its status; see Check for what a
// status means. The error of a call without an answer is of kind Unavailable. The
// caller closes the body. Redirects are answers like others: they are not followed.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	return c.target.RoundTrip(req) // not through c.http, which has nothing to add but its cost
}

// HTTP returns the client as a standard one, for code that insists on it.
func (c *Client) HTTP() *http.Client { return c.http }

// URL returns the target's base address without a slash at its end.
func (c *Client) URL() string { return strings.TrimRight(c.target.cfg.URL, "/") }

// Close closes idle connections. Calls in flight end by themselves.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// target is the chain: what all calls of one client share.
type target struct {
	name   string
	cfg    Config
	log    *slog.Logger
	next   http.RoundTripper
	tracer trace.Tracer

	budget   *budget
	breaker  *breaker
	bulkhead bulkhead.Bulkhead[*answer]
	retry    failsafe.Executor[*answer]
	hedge    failsafe.Executor[*answer]
	metrics  *metrics
}

func newTarget(cfg Config, opts Options) *target {
	t := &target{
		name:     opts.Name,
		cfg:      cfg,
		log:      opts.Log,
		next:     opts.Transport,
		budget:   newBudget(cfg.RetryShare, cfg.RetryBurst),
		bulkhead: bulkhead.New[*answer](cfg.MaxInFlight),
		retry:    newRetry(),
		hedge:    newHedge(cfg.HedgeAfter),
	}
	if t.cfg.MaxResponse == 0 {
		t.cfg.MaxResponse = math.MaxInt64
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	provider := opts.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	t.tracer = provider.Tracer("parley.sh/services/kit/rest")
	if t.next == nil {
		t.next = newPool(cfg)
	}
	t.metrics = newMetrics(opts.Name)
	t.breaker = newBreaker(cfg, t.changed)
	t.metrics.register(opts.Registerer, t)
	return t
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the pool.
func (t *target) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
