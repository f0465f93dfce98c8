package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
)

// checkLimit bounds all checks of one /readyz.
const checkLimit = 3 * time.Second

// Check reports what is wrong with something, or nil. It must follow its context
// and may be called at any time, several at once.
type Check func(ctx context.Context) error

// Health knows what a service needs in order to receive traffic, and what it is
// worth telling about besides. The zero value is ready to use; add the checks
// before the server runs.
type Health struct {
	checks   []*check
	log      *slog.Logger
	draining atomic.Bool
}

// check is one named check and its last result.
type check struct {
	name  string
	gates bool
	run   Check

	mu   sync.Mutex
	last string // the last reported state, empty before the first
}

// Ready adds a check without which the service is not ready.
func (h *Health) Ready(name string, run Check) { h.add(name, true, run) }

// Detail adds a check that is shown in /readyz and in a metric and takes nothing
// out of service.
func (h *Health) Detail(name string, run Check) { h.add(name, false, run) }

func (h *Health) add(name string, gates bool, run Check) {
	h.checks = append(h.checks, &check{name: name, gates: gates, run: run})
}

func (h *Health) watch(log *slog.Logger) { h.log = log }
func (h *Health) drain()                 { h.draining.Store(true) }
func (h *Health) isDraining() bool       { return h.draining.Load() }

// readiness is the body of /readyz.
type readiness struct {
	// Status is ready, not_ready or draining.
	Status string `json:"status"`
	// Checks are what readiness depends on, by name.
	Checks map[string]finding `json:"checks"`
	// Details are what else there is to tell, by name.
	Details map[string]finding `json:"details,omitempty"`
}

// finding is the result of one check.
type finding struct {
	// Status is ok or the kind of the fault.
	Status string `json:"status"`
	// Reason is the fault's public text.
	Reason string `json:"reason,omitempty"`
}

func (h *Health) live(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) }

func (h *Health) ready(c *gin.Context) {
	body, code := h.examine(c.Request.Context()), http.StatusOK
	if body.Status != "ready" {
		code = http.StatusServiceUnavailable
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(code, body)
}

func (h *Health) examine(ctx context.Context) readiness {
	body := readiness{Status: "ready", Checks: map[string]finding{}, Details: map[string]finding{}}
	for i, err := range h.runAll(ctx) {
		check := h.checks[i]
		if !check.gates {
			body.Details[check.name] = findingOf(err)
			continue
		}
		body.Checks[check.name] = findingOf(err)
		if err != nil {
			body.Status = "not_ready"
		}
	}
	if h.isDraining() {
		body.Status = "draining"
	}
	return body
}

func findingOf(err error) finding {
	if err == nil {
		return finding{Status: "ok"}
	}
	f := finding{Status: fault.KindOf(err).String()}
	var known *fault.Error
	if errors.As(err, &known) {
		f.Reason = known.Public
	}
	return f
}

// runAll runs the checks side by side and returns their results in order.
func (h *Health) runAll(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	results := make([]error, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() {
			results[i] = c.run(ctx)
			h.note(ctx, c, results[i])
		})
	}
	wg.Wait()
	return results
}

// note logs a check whose state is not what it was.
func (h *Health) note(ctx context.Context, c *check, err error) {
	state := findingOf(err).Status
	c.mu.Lock()
	changed := c.last != state && cmp.Or(c.last, "ok") != state
	c.last = state
	c.mu.Unlock()
	if !changed || h.log == nil {
		return
	}
	if err != nil {
		h.log.WarnContext(ctx, "health check failing", "check", c.name, "gates", c.gates, "err", err)
		return
	}
	h.log.InfoContext(ctx, "health check passing", "check", c.name, "gates", c.gates)
}

var healthy = prometheus.NewDesc("health_check_ok",
	"1 while the check passes; gates says whether readiness depends on it.", []string{"check", "gates"}, nil)

// Describe implements prometheus.Collector.
func (h *Health) Describe(ch chan<- *prometheus.Desc) { ch <- healthy }

// Collect implements prometheus.Collector by running the checks.
func (h *Health) Collect(ch chan<- prometheus.Metric) {
	names := map[bool]string{true: "true", false: "false"}
	for i, err := range h.runAll(context.Background()) {
		ok := 0.0
		if err == nil {
			ok = 1
		}
		c := h.checks[i]
		ch <- prometheus.MustNewConstMetric(healthy, prometheus.GaugeValue, ok, c.name, names[c.gates])
	}
}
