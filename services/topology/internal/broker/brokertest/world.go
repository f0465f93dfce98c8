package brokertest

import (
	"context"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// World is a broker.Session whose broker is a value. The zero value holds
// nothing, not even a vhost. It is not safe for concurrent use.
type World struct {
	// Holds is what the broker holds; it may be changed between calls.
	Holds plan.Observed
	// Messages counts the messages of queues that are not empty.
	Messages map[plan.ID]int
	// Refuse, if not nil, is asked before each step: an error refuses it.
	Refuse func(plan.Step) error
	// Lose, if not nil, says which steps are accepted and then forgotten.
	Lose func(plan.Step) bool
	// Down makes every call fail.
	Down bool
	// Waves are the steps as they were executed together.
	Waves [][]plan.Key
}

func (w *World) down() error {
	if w.Down {
		return fault.New(fault.Unavailable, "nobody answers")
	}
	return nil
}

// Observe implements broker.Session. What it returns shares nothing with World.
func (w *World) Observe(_ context.Context, _ plan.Desired) (plan.Observed, error) {
	if err := w.down(); err != nil {
		return plan.Observed{}, err
	}
	return Copy(w.Holds), nil
}

// Check implements broker.Session: nothing is refused before it is tried.
func (w *World) Check(_ context.Context, steps []plan.Step) []error {
	return make([]error, len(steps))
}

// Execute implements broker.Session.
func (w *World) Execute(_ context.Context, steps []plan.Step) []error {
	errs := make([]error, len(steps))
	var wave []plan.Key
	for i := range steps {
		wave = append(wave, steps[i].Key)
		errs[i] = w.execute(steps[i])
	}
	w.Waves = append(w.Waves, wave)
	return errs
}

// Close implements broker.Session.
func (w *World) Close() error { return nil }

func (w *World) execute(s plan.Step) error {
	if err := w.down(); err != nil {
		return err
	}
	if w.Refuse != nil {
		if err := w.Refuse(s); err != nil {
			return err
		}
	}
	if w.Lose != nil && w.Lose(s) {
		return nil
	}
	if t, ok := s.Object.(*plan.Topic); ok {
		return w.topic(s, t)
	}
	v := w.Holds.Vhosts[s.ID.Vhost]
	if v == nil {
		return fault.Newf(fault.NotFound, "no vhost %s", s.ID.Vhost)
	}
	defer apply(v)
	if s.Op == plan.Delete {
		return w.remove(v, s)
	}
	return put(v, s)
}
