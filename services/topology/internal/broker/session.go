package broker

import (
	"context"

	"parley.sh/services/topology/internal/plan"
)

// Session is an open way into one broker. It is not safe for concurrent use.
// Its errors carry a fault.Kind: Unavailable when the broker cannot be reached,
// Invalid when it refuses what it was asked, and they say what the broker said.
type Session interface {
	// Observe reads what the broker holds, as far as want concerns it.
	Observe(ctx context.Context, want plan.Desired) (plan.Observed, error)

	// Check asks the broker whether it would take the steps, and changes nothing.
	// It returns one error or nil for each. A broker that cannot tell says nil.
	Check(ctx context.Context, steps []plan.Step) []error

	// Execute carries out steps that do not need one another, in any order. It
	// returns one error or nil for each. A step that was carried out before is not
	// an error.
	Execute(ctx context.Context, steps []plan.Step) []error

	// Close lets go of the broker.
	Close() error
}
