package outbox

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
)

type metrics struct {
	pending, oldest     *prometheus.GaugeVec
	published, failures *prometheus.CounterVec
	refused             *prometheus.CounterVec
	delay               *prometheus.HistogramVec
	aside               prometheus.Gauge
	shards              prometheus.Gauge
	parked              *prometheus.GaugeVec
	lost, reads         prometheus.Counter
}

var byDestination = []string{"broker", "destination"}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		pending: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outbox_pending_rows",
			Help: "Rows that wait in the shards of this replica, counted every few seconds.",
		}, byDestination)),
		oldest: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outbox_oldest_age_seconds",
			Help: "Age of the oldest row that waits in the shards of this replica.",
		}, byDestination)),
		published: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_published_total",
			Help: "Rows that their broker confirmed.",
		}, byDestination)),
		failures: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_failures_total",
			Help: "Rows that were not confirmed and are tried again, by the kind of the failure.",
		}, append(byDestination, "kind"))),
		refused: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outbox_refused_total",
			Help: "Rows that their broker refused for good. Alert on any.",
		}, byDestination)),
		delay: register(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outbox_publish_duration_seconds",
			Help:    "Time from the sending of a batch to its confirmation or failure.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}, byDestination)),
		aside: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_refused_rows",
			Help: "Rows in outbox_refused, which wait for a decision. Alert on any.",
		})),
		shards: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outbox_shards_held",
			Help: "Shards that this replica holds; all replicas together hold 16.",
		})),
		parked: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outbox_parked_keys",
			Help: "Keys whose message failed by itself and which wait for their next try.",
		}, byDestination)),
		reads: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outbox_reads_total",
			Help: "Looks at the table for rows to publish.",
		})),
		lost: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outbox_sessions_lost_total",
			Help: "Times that this replica lost its shards, or could not ask for any.",
		})),
	}
}

func (d destination) labels() []string { return []string{string(d.broker), d.name} }

// settled counts what became of a batch.
func (m *metrics) settled(to destination, v verdict) {
	if v.confirmed > 0 {
		m.published.WithLabelValues(to.labels()...).Add(float64(v.confirmed))
	}
	for kind, n := range v.failed {
		m.failures.WithLabelValues(string(to.broker), to.name, kind.String()).Add(float64(n))
	}
	if n := len(v.refused); n > 0 {
		m.failures.WithLabelValues(string(to.broker), to.name, fault.Invalid.String()).Add(float64(n))
		m.refused.WithLabelValues(to.labels()...).Add(float64(n))
	}
}

// waiting shows the backlog. Destinations that have none any more show zero.
func (m *metrics) waiting(backlogs []backlog, seen map[destination]bool) {
	for to := range seen {
		seen[to] = false
	}
	for _, b := range backlogs {
		seen[b.to] = true
		m.pending.WithLabelValues(b.to.labels()...).Set(float64(b.rows))
		m.oldest.WithLabelValues(b.to.labels()...).Set(b.oldest)
	}
	for to, there := range seen {
		if !there {
			m.pending.WithLabelValues(to.labels()...).Set(0)
			m.oldest.WithLabelValues(to.labels()...).Set(0)
		}
	}
}

// register returns c, or the collector of that name which reg has already.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var there prometheus.AlreadyRegisteredError
	if errors.As(reg.Register(c), &there) {
		if known, ok := there.ExistingCollector.(C); ok {
			return known
		}
	}
	return c
}
