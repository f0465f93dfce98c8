package kafka

import (
	"strings"

	"github.com/rcrowley/go-metrics"
)

// noMetrics is a registry that measures nothing. sarama's own metrics cost CPU on
// every request, keep a goroutine for ever, and nobody reads them: this package
// has its own.
type noMetrics struct{}

// GetOrRegister implements metrics.Registry: it knows what sarama asks for.
func (noMetrics) GetOrRegister(_ string, metric any) any {
	switch metric.(type) {
	case func() metrics.Meter:
		return metrics.NilMeter{}
	case func() metrics.Counter:
		return metrics.NilCounter{}
	case func() metrics.Histogram:
		return metrics.NilHistogram{}
	}
	return metric
}

// Each implements metrics.Registry.
func (noMetrics) Each(func(string, any)) {}

// Get implements metrics.Registry.
func (noMetrics) Get(string) any { return nil }

// GetAll implements metrics.Registry.
func (noMetrics) GetAll() map[string]map[string]any { return nil }

// Register implements metrics.Registry.
func (noMetrics) Register(string, any) error { return nil }

// RunHealthchecks implements metrics.Registry.
func (noMetrics) RunHealthchecks() {}

// Unregister implements metrics.Registry.
func (noMetrics) Unregister(string) {}

// UnregisterAll implements metrics.Registry.
func (noMetrics) UnregisterAll() {}

// silence keeps sarama from measuring the fetches of topics. While it works out
// the size of a fetch request it knows no registry and falls back to the global
// one, where a meter would start a goroutine that never ends; one that is there
// already is taken.
func silence(topics ...string) {
	for _, topic := range topics {
		name := "consumer-fetch-rate-for-topic-" + strings.ReplaceAll(topic, ".", "_")
		metrics.DefaultRegistry.GetOrRegister(name, metrics.NilMeter{})
	}
}
