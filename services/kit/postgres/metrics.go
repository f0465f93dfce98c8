package postgres

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	connections = prometheus.NewDesc("db_pool_connections",
		"Connections of the pool by state.", []string{"state"}, nil)
	maxConnections = prometheus.NewDesc("db_pool_max_connections",
		"The most connections the pool may have.", nil, nil)
	acquires = prometheus.NewDesc("db_pool_acquires_total",
		"Connections taken from the pool.", nil, nil)
	acquireSeconds = prometheus.NewDesc("db_pool_acquire_wait_seconds_total",
		"Time spent waiting because no connection was free.", nil, nil)
	acquireWaits = prometheus.NewDesc("db_pool_acquire_waits_total",
		"Acquires that found no free connection and waited.", nil, nil)
	acquireCancels = prometheus.NewDesc("db_pool_acquires_canceled_total",
		"Acquires whose context ended before a connection was free.", nil, nil)
	newConnections = prometheus.NewDesc("db_pool_new_connections_total",
		"Connections made.", nil, nil)
)

// poolCollector shows the statistics of a pool to Prometheus.
type poolCollector struct{ pool *pgxpool.Pool }

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.pool.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(connections, float64(s.IdleConns()), "idle")
	gauge(connections, float64(s.AcquiredConns()), "in_use")
	gauge(connections, float64(s.ConstructingConns()), "connecting")
	gauge(maxConnections, float64(s.MaxConns()))
	counter(acquires, float64(s.AcquireCount()))
	counter(acquireSeconds, s.EmptyAcquireWaitTime().Seconds())
	counter(acquireWaits, float64(s.EmptyAcquireCount()))
	counter(acquireCancels, float64(s.CanceledAcquireCount()))
	counter(newConnections, float64(s.NewConnsCount()))
}
