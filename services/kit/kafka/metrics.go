package kafka

import (
	"errors"
	"strconv"
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

// consumerMetrics are shared by the consumers of a registry and told apart by group.
type consumerMetrics struct {
	retries, dead    *prometheus.CounterVec
	stuck, lost      *prometheus.GaugeVec
	lag, held, bytes *prometheus.GaugeVec
	paused           prometheus.Gauge
	commits          *prometheus.CounterVec
}

func newConsumerMetrics(reg prometheus.Registerer, group string) *consumerMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return registered(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
	}
	return &consumerMetrics{
		retries: counter("kafka_consumer_retries_total",
			"Messages put back to be tried again, by the kind of their failure.", "group", "topic", "kind"),
		dead: counter("kafka_consumer_dead_letters_total",
			"Messages set aside in a dead-letter topic.", "group", "topic", "kind"),
		stuck: gauge("kafka_consumer_stuck_messages",
			"Messages that failed their number of attempts and hold their key. Somebody must look.", "group", "topic"),
		lost: gauge("kafka_consumer_offset_out_of_range",
			"1 while a partition cannot be read on because its messages are gone. Somebody must decide.",
			"group", "topic", "partition"),
		lag: gauge("kafka_consumer_lag_messages",
			"Offsets between the oldest unfinished message and the end of the partition.", "group", "topic", "partition"),
		held: gauge("kafka_consumer_in_flight_messages",
			"Unfinished messages in memory.", "group", "topic", "partition"),
		bytes: gauge("kafka_consumer_in_flight_bytes",
			"Bytes of the unfinished messages in memory.", "group", "topic", "partition"),
		paused: gauge("kafka_consumer_paused_partitions",
			"Partitions that are not read because enough is in flight.", "group").WithLabelValues(group),
		commits: counter("kafka_consumer_commits_total",
			"Commits of offsets by result (ok or failed).", "group", "result"),
	}
}

// forget removes what the metrics say about a partition that is let go.
func (m *consumerMetrics) forget(group string, at place) {
	partition := strconv.Itoa(int(at.partition))
	for _, vec := range []*prometheus.GaugeVec{m.lag, m.held, m.bytes} {
		vec.DeleteLabelValues(group, at.topic, partition)
	}
}

// observe shows how a partition stands.
func (m *consumerMetrics) observe(group string, at place, s standing, lag int64) {
	partition := strconv.Itoa(int(at.partition))
	m.lag.WithLabelValues(group, at.topic, partition).Set(float64(lag))
	m.held.WithLabelValues(group, at.topic, partition).Set(float64(s.inFlight))
	m.bytes.WithLabelValues(group, at.topic, partition).Set(float64(s.bytes))
}
