package rest

import (
	"context"
	"log/slog"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// breaker is failsafe-go's circuit breaker, with attempts that prove nothing left
// out of its count. Nil is a breaker that is turned off.
type breaker struct {
	circuit circuitbreaker.CircuitBreaker[*answer]
}

func newBreaker(cfg Config, changed func(circuitbreaker.StateChangedEvent)) *breaker {
	if cfg.BreakerShare == 0 {
		return nil
	}
	return &breaker{circuitbreaker.NewBuilder[*answer]().
		WithFailureRateThreshold(cfg.BreakerShare, cfg.BreakerCalls, cfg.BreakerWindow).
		WithDelay(cfg.BreakerPause).
		WithJitterFactor(0.25).
		WithSuccessThreshold(cfg.BreakerProbes).
		OnStateChanged(changed).
		Build()}
}

// allow reports whether an attempt may be made; what it allowed must be recorded.
func (b *breaker) allow() bool { return b == nil || b.circuit.TryAcquirePermit() }

// record tells the breaker how an attempt ended. A caller that went away says
// nothing about the target, so a closed breaker does not hear of it. A half-open
// one must, or its permit would be lost; a probe without an answer has not shown
// that the target works.
func (b *breaker) record(o outcome) {
	switch {
	case b == nil:
	case o.failed():
		b.circuit.RecordFailure()
	case o != canceled:
		b.circuit.RecordSuccess()
	case b.circuit.IsHalfOpen():
		b.circuit.RecordFailure()
	}
}

// remaining returns how long an open breaker stays so.
func (b *breaker) remaining() time.Duration {
	if b == nil {
		return 0
	}
	return b.circuit.RemainingDelay()
}

// state returns 0 for closed, 1 for half-open, 2 for open.
func (b *breaker) state() float64 {
	if b == nil {
		return 0
	}
	switch b.circuit.State() {
	case circuitbreaker.OpenState:
		return 2
	case circuitbreaker.HalfOpenState:
		return 1
	case circuitbreaker.ClosedState:
	}
	return 0
}

// changed logs and counts a change of the breaker's state.
func (t *target) changed(e circuitbreaker.StateChangedEvent) {
	t.metrics.transition(e.NewState.String())
	level := slog.LevelInfo
	if e.NewState == circuitbreaker.OpenState {
		level = slog.LevelWarn
	}
	t.log.LogAttrs(context.WithoutCancel(e.Context()), level, "circuit breaker changed",
		slog.String("target", t.name), slog.String("from", e.OldState.String()),
		slog.String("to", e.NewState.String()))
}
