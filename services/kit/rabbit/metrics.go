package rabbit

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the whole package; every publisher and consumer of a
// process shares them by its registry.
type metrics struct {
	up          *prometheus.GaugeVec
	blocked     *prometheus.GaugeVec
	connections *prometheus.CounterVec
	published   *prometheus.CounterVec
	pending     *prometheus.GaugeVec
	resent      *prometheus.CounterVec
	consumed    *prometheus.CounterVec
	handling    *prometheus.GaugeVec
	exhausted   *prometheus.CounterVec
	stuck       *prometheus.GaugeVec
	stale       *prometheus.CounterVec
	hints       *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return registered(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
	}
	return &metrics{
		up:          gauge("rabbit_connection_up", "1 while the connection is there.", "connection"),
		blocked:     gauge("rabbit_connection_blocked", "1 while the broker takes no messages (alarm).", "connection"),
		connections: counter("rabbit_connections_total", "Connections made.", "connection"),
		published: counter("rabbit_published_total",
			"Messages by the end of their publishing: confirmed, returned, nacked, refused, unconfirmed.",
			"connection", "result"),
		pending: gauge("rabbit_publish_pending", "Messages being published and not yet confirmed or failed.", "connection"),
		resent: counter("rabbit_publish_resent_total",
			"Messages sent again because their channel ended before it confirmed them.", "connection"),
		consumed: counter("rabbit_consumed_total",
			"Deliveries by their end: done, retried, postponed, dead_lettered, abandoned.", "queue", "result"),
		handling: gauge("rabbit_handling", "Deliveries being handled, held ones included.", "queue"),
		exhausted: counter("rabbit_exhausted_total",
			"Failures past the last rung of messages that are never given up. Somebody must look.", "queue"),
		stuck: gauge("rabbit_stuck",
			"Failed deliveries that can be moved neither to a rung nor to the dead-letter queue. Somebody must look.",
			"queue"),
		stale: counter("rabbit_stale_total", "Finished deliveries whose session had ended: they come again.", "queue"),
		hints: counter("rabbit_hints_total", "Messages of a fanout by result: delivered, dropped, unreadable.",
			"exchange", "result"),
	}
}

// registered returns the collector of that name which reg holds already, or c.
func registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
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
