package inbox

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	partitions prometheus.Gauge
	keptFrom   prometheus.Gauge
	failures   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		partitions: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "inbox_partitions",
			Help: "Days that the inbox remembers, as of this replica's last sweep.",
		})),
		keptFrom: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "inbox_kept_from_timestamp_seconds",
			Help: "Messages from before this time are refused, as of this replica's last sweep.",
		})),
		failures: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "inbox_sweep_failures_total",
			Help: "Sweeps of the inbox's partitions that failed.",
		})),
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
