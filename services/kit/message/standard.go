package message

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are what every consumer of a service shares.
type Options struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	// Timeout bounds one call of a handler.
	Timeout time.Duration
	// Types lists the message types that metrics name.
	Types []string
}

// Standard wraps h with the middleware of a service, outermost first: Trace, Log,
// Metrics, Timeout, Recover.
func Standard(h Handler, o Options) Handler {
	return Chain(h, Trace(), Log(o.Log), Metrics(o.Registerer, o.Types...), Timeout(o.Timeout), Recover())
}
