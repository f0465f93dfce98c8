package message

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/fault"
)

// Metrics counts handled messages and their time by place, type and result
// ("ok" or the kind of the failure). Types that no handler knows are counted
// under "unknown", so that a sender cannot grow the metric.
func Metrics(reg prometheus.Registerer, known ...string) Middleware {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "messaging_process_duration_seconds",
		Help:    "Time a handler took for a message, by place, type and result.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10),
	}, []string{"place", "type", "result"})
	seconds = registered(reg, seconds)
	types := make(map[string]bool, len(known))
	for _, t := range known {
		types[t] = true
	}
	return func(next Handler) Handler {
		return func(ctx context.Context, m Message) error {
			start := time.Now()
			err := next(ctx, m)
			name := m.Type
			if !types[name] {
				name = "unknown"
			}
			seconds.WithLabelValues(m.Delivery.Place, name, result(err)).Observe(time.Since(start).Seconds())
			return err
		}
	}
}

func result(err error) string {
	if err == nil {
		return "ok"
	}
	return fault.KindOf(err).String()
}

// registered returns the collector of that name which reg holds already, or c: a
// service has several consumers and one registry.
func registered(reg prometheus.Registerer, c *prometheus.HistogramVec) *prometheus.HistogramVec {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if there, ok := err.(prometheus.AlreadyRegisteredError); ok { //nolint:errorlint // a value that Register returns unwrapped
		if v, ok := there.ExistingCollector.(*prometheus.HistogramVec); ok {
			return v
		}
	}
	return c
}
