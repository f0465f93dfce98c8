package kafka

import "github.com/rcrowley/go-metrics"

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
