package rest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of one target, resolved to it: a call looks no label up.
type metrics struct {
	name     string
	vectors  vectors
	inFlight atomic.Int64

	calls       [outcomes]prometheus.Counter
	attempts    [outcomes]prometheus.Counter
	seconds     prometheus.Observer
	retries     prometheus.Counter
	hedges      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	transitions *prometheus.CounterVec
	fallbacks   *prometheus.CounterVec
}

// vectors are what all targets of a process share.
type vectors struct {
	calls, attempts, retries, refused, hedges, transitions, fallbacks *prometheus.CounterVec
	seconds                                                           *prometheus.HistogramVec
}

func newVectors() vectors {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			append([]string{"target"}, labels...))
	}
	return vectors{
		calls:    counter("rest_client_calls_total", "Calls by how they ended.", "outcome"),
		attempts: counter("rest_client_attempts_total", "Requests sent by how they ended.", "outcome"),
		retries:  counter("rest_client_retries_total", "Requests sent again."),
		refused: counter("rest_client_retries_refused_total",
			"Failed attempts that were not tried again for want of budget or time.", "reason"),
		hedges: counter("rest_client_hedges_total",
			"Hedges: sent, answered, or not sent for want of budget or room.", "result"),
		transitions: counter("rest_client_breaker_transitions_total",
			"Changes of the circuit breaker's state by the new state.", "state"),
		fallbacks: counter("rest_client_fallbacks_total", "Fallbacks by how they ended.", "result"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rest_client_call_duration_seconds",
			Help:    "Time of a call to the head of its answer, with all its attempts.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 11),
		}, []string{"target"}),
	}
}

func newMetrics(name string) *metrics { return &metrics{name: name, vectors: newVectors()} }

// register resolves the target's collectors, in reg if there is one. Targets share
// vectors: the second finds those of the first.
func (m *metrics) register(reg prometheus.Registerer, t *target) {
	v := &m.vectors
	if reg != nil {
		for _, c := range []**prometheus.CounterVec{
			&v.calls, &v.attempts, &v.retries, &v.refused, &v.hedges, &v.transitions, &v.fallbacks,
		} {
			*c = registered(reg, *c)
		}
		v.seconds = registered(reg, v.seconds)
		registered[prometheus.Collector](reg, newGauges(t))
	}
	for o := range outcomes {
		m.calls[o] = v.calls.WithLabelValues(m.name, o.String())
		m.attempts[o] = v.attempts.WithLabelValues(m.name, o.String())
	}
	label := prometheus.Labels{"target": m.name}
	m.seconds = v.seconds.WithLabelValues(m.name)
	m.retries = v.retries.WithLabelValues(m.name)
	m.hedges = v.hedges.MustCurryWith(label)
	m.refused = v.refused.MustCurryWith(label)
	m.transitions = v.transitions.MustCurryWith(label)
	m.fallbacks = v.fallbacks.MustCurryWith(label)
}

func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	var there prometheus.AlreadyRegisteredError
	if err := reg.Register(c); errors.As(err, &there) {
		if same, ok := there.ExistingCollector.(C); ok {
			return same
		}
	}
	return c
}

func (m *metrics) called(o outcome, took time.Duration) {
	m.calls[o].Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *metrics) attempted(o outcome)        { m.attempts[o].Inc() }
func (m *metrics) refusedRetry(reason string) { m.refused.WithLabelValues(reason).Inc() }
func (m *metrics) hedged(result string)       { m.hedges.WithLabelValues(result).Inc() }
func (m *metrics) transition(state string)    { m.transitions.WithLabelValues(state).Inc() }
func (m *metrics) fellBack(result string)     { m.fallbacks.WithLabelValues(result).Inc() }

// gauges read a target's state when they are asked.
type gauges struct {
	target                    *target
	breaker, inFlight, budget *prometheus.Desc
}

func newGauges(t *target) *gauges {
	label := prometheus.Labels{"target": t.name}
	return &gauges{
		target: t,
		breaker: prometheus.NewDesc("rest_client_breaker_state",
			"State of the circuit breaker: 0 closed, 1 half-open, 2 open.", nil, label),
		inFlight: prometheus.NewDesc("rest_client_in_flight",
			"Attempts, or hedged pairs of them, that hold a place in the bulkhead.", nil, label),
		budget: prometheus.NewDesc("rest_client_retry_budget",
			"Extra attempts that the retry budget allows now.", nil, label),
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	out <- g.breaker
	out <- g.inFlight
	out <- g.budget
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	t := g.target
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(g.breaker, t.breaker.state())
	gauge(g.inFlight, float64(t.metrics.inFlight.Load()))
	gauge(g.budget, t.budget.left())
}
