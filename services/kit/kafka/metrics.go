package kafka

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// registered returns the collector of that name which reg holds already, or c: a
// service has several clients and one registry.
func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var there prometheus.AlreadyRegisteredError
	if err := reg.Register(c); errors.As(err, &there) {
		if existing, ok := there.ExistingCollector.(C); ok {
			return existing
		}
	}
	return c
}

// connected is the gauge of one client.
func connected(reg prometheus.Registerer, client string) prometheus.Gauge {
	return registered(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "kafka_client_connected",
		Help: "1 while the client stands with its brokers.",
	}, []string{"client"})).WithLabelValues(client)
}

type publisherMetrics struct {
	messages *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newPublisherMetrics(reg prometheus.Registerer) *publisherMetrics {
	return &publisherMetrics{
		messages: registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_published_messages_total",
			Help: "Messages published, by topic and result (ok, invalid or unavailable).",
		}, []string{"topic", "result"})),
		seconds: registered(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "kafka_publish_duration_seconds",
			Help:    "Time from a Publish to its last confirmation.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		})),
	}
}

// observe counts a Publish, once a run of equal messages and not once a message.
func (m *publisherMetrics) observe(messages []message.Message, errs []error, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	from := 0
	for i := 1; i <= len(messages); i++ {
		if i < len(messages) && messages[i].To.Name == messages[from].To.Name && resultOf(errs[i]) == resultOf(errs[from]) {
			continue
		}
		topic := messages[from].To.Name
		if !legalTopic(topic) {
			topic = "invalid"
		}
		m.messages.WithLabelValues(topic, resultOf(errs[from])).Add(float64(i - from))
		from = i
	}
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	return fault.KindOf(err).String()
}
