package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// metrics counts what happens to orders. It implements order.Meter.
type metrics struct {
	log       *slog.Logger
	changes   *prometheus.CounterVec
	checked   *prometheus.CounterVec
	asked     *prometheus.CounterVec
	alerts    prometheus.Counter
	unsettled *prometheus.GaugeVec
	oldest    prometheus.Gauge
	streams   prometheus.Gauge
	heard     prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, log *slog.Logger) *metrics {
	m := &metrics{
		log: log,
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "order_changes_total", Help: "Changes of orders by what happened and why.",
		}, []string{"change", "reason"}),
		checked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "order_stock_checks_total",
			Help: "Orders by what their stock was checked against: live, read_model, deferred (not at all) or refused.",
		}, []string{"against"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "order_asked_again_total", Help: "Work that was asked for again because its leg did not close.",
		}, []string{"work"}),
		alerts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "order_deadline_alerts_total",
			Help: "Deadlines of cancelling orders that passed in silence: somebody must look at shipping.",
		}),
		unsettled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "orders_unsettled", Help: "Orders that are not settled, by state; all replicas show the same.",
		}, []string{"state"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "orders_unsettled_oldest_seconds", Help: "Age of the oldest order that is not settled; 0 without any.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "order_event_streams", Help: "Event streams that are open on this replica.",
		}),
		heard: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "order_stock_heard_timestamp_seconds",
			Help: "When this replica last got a message of Stock. Inventory repeats every level once a minute: " +
				"if no replica hears anything for longer, look at inventory.",
		}),
	}
	reg.MustRegister(m.changes, m.checked, m.asked, m.alerts, m.unsettled, m.oldest, m.streams, m.heard)
	return m
}

// Changed counts a change that has become durable.
func (m *metrics) Changed(c order.Change) {
	for _, e := range c.Entries {
		m.changes.WithLabelValues(string(e.Event), string(e.Reason)).Inc()
	}
}

// Checked implements order.Meter.
func (m *metrics) Checked(against order.Checked) { m.checked.WithLabelValues(string(against)).Inc() }

// AskedAgain implements order.Meter.
func (m *metrics) AskedAgain(w machine.Work) { m.asked.WithLabelValues(string(w)).Inc() }

// Alerted implements order.Meter.
func (m *metrics) Alerted(ctx context.Context, orderID string) {
	m.alerts.Inc()
	m.log.ErrorContext(ctx, "deadline of a cancelling order passed", "order_id", orderID)
}

// Streams counts event streams that begin and end.
func (m *metrics) Streams(delta int) { m.streams.Add(float64(delta)) }

// unsettledReader is *store.Store.
type unsettledReader interface {
	Unsettled(ctx context.Context) (byState map[string]int, oldest time.Time, err error)
}

// states are shown even where they count nothing.
var states = []machine.State{
	machine.Placed, machine.Confirmed, machine.Cancelling, machine.Shipped, machine.Cancelled,
}

// sample returns a job that looks at the unsettled orders every now and then.
func (m *metrics) sample(r unsettledReader, every time.Duration) func(context.Context) error {
	return periodic(every, func(ctx context.Context) {
		byState, oldest, err := r.Unsettled(ctx)
		if err != nil {
			m.log.WarnContext(ctx, "unsettled orders not counted", "err", err)
			return
		}
		for _, s := range states {
			m.unsettled.WithLabelValues(string(s)).Set(float64(byState[string(s)]))
		}
		age := 0.0
		if !oldest.IsZero() {
			age = time.Since(oldest).Seconds()
		}
		m.oldest.Set(age)
	})
}
