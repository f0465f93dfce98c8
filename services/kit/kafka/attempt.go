package kafka

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// workshop is what the claims of one consumer share: the handler, the workers and
// what becomes of a message that fails.
type workshop struct {
	cfg      Config
	consumer ConsumerConfig
	handler  message.Handler
	// send confirms a dead letter.
	send func(ctx context.Context, r *sarama.ConsumerMessage, why *letter) error
	// flow stops and starts the reading of partitions.
	flow    flow
	pool    *pool
	metrics *consumerMetrics
	log     *slog.Logger
	// claims is how many partitions the consumer has now.
	claims atomic.Int32
}

// flow is how a claim holds back its partition.
type flow interface {
	Pause(partitions map[string][]int32)
	Resume(partitions map[string][]int32)
}

// share is what one partition may have in flight. The bounds of the consumer are
// divided evenly, so that partitions which are stuck cannot starve the others.
func (w *workshop) share() (messages int, bytes int64) {
	n := max(int(w.claims.Load()), 1)
	messages = min(w.cfg.MaxInFlight, w.cfg.MaxInFlightTotal/n)
	bytes = min(w.cfg.MaxInFlightBytes, w.cfg.MaxInFlightTotalBytes/int64(n))
	return messages, bytes
}

// verdict is what became of an attempt: done, or to be tried again after a pause.
type verdict struct {
	done  bool
	pause time.Duration
}

// attempt handles a message once and decides what becomes of it. This is the only
// place where a message is finished.
func (w *workshop) attempt(ctx context.Context, t *task) verdict {
	if t.letter == nil {
		err := w.handle(ctx, t)
		if err == nil {
			w.unstick(t)
			return verdict{done: true}
		}
		if ctx.Err() != nil { // the claim is let go: not the message's fault
			return verdict{pause: w.cfg.RetryMin}
		}
		if v, decided := w.judge(ctx, t, err); decided {
			return v
		}
	}
	return w.setAside(ctx, t)
}

func (w *workshop) handle(ctx context.Context, t *task) error {
	t.read()
	if t.refusal != nil {
		return t.refusal
	}
	m := t.message
	m.Delivery.Attempt = t.failures + 1
	return w.handler(ctx, m)
}

// judge applies the table of package fault. It leaves a message that is to be set
// aside undecided.
func (w *workshop) judge(ctx context.Context, t *task, err error) (verdict, bool) {
	kind := fault.KindOf(err)
	switch fault.Of(kind).Delivery {
	case fault.Acknowledge:
		w.unstick(t)
		return verdict{done: true}, true
	case fault.Hold:
		t.holds++
		return w.again(t, kind), true
	case fault.Retry:
		t.failures++
		if !w.consumer.GiveUp || t.failures < w.consumer.MaxAttempts {
			w.alert(ctx, t, err)
			return w.again(t, kind), true
		}
	case fault.DeadLetter:
		t.failures++
	}
	t.letter = &letter{reason: message.Reason(err), kind: kind, attempts: t.failures}
	return verdict{}, false
}

// again pauses the key of a message, longer with each failure in a row.
func (w *workshop) again(t *task, kind fault.Kind) verdict {
	w.metrics.retries.WithLabelValues(w.consumer.Group, t.record.Topic, kind.String()).Inc()
	return verdict{pause: w.backoff(t.failures + t.holds)}
}

func (w *workshop) backoff(n int) time.Duration {
	pause := min(w.cfg.RetryMin<<min(n-1, 20), w.cfg.RetryMax)
	return pause/2 + rand.N(pause/2+1)
}

// alert tells operators about a message that keeps failing and is never given up.
func (w *workshop) alert(ctx context.Context, t *task, err error) {
	if t.failures%w.consumer.MaxAttempts != 0 {
		return
	}
	if !t.stuck {
		t.stuck = true
		w.metrics.stuck.WithLabelValues(w.consumer.Group, t.record.Topic).Inc()
	}
	w.log.LogAttrs(ctx, slog.LevelError, "message keeps failing and holds its key", w.attrs(t,
		slog.Int("attempts", t.failures), slog.Any("err", err))...)
}

func (w *workshop) unstick(t *task) {
	if t.stuck {
		t.stuck = false
		w.metrics.stuck.WithLabelValues(w.consumer.Group, t.record.Topic).Dec()
	}
}

// setAside sends the message to the dead-letter topic; until that is confirmed the
// message holds its key.
func (w *workshop) setAside(ctx context.Context, t *task) verdict {
	if err := w.send(ctx, t.record, t.letter); err != nil {
		if ctx.Err() != nil {
			return verdict{pause: w.cfg.RetryMin}
		}
		t.holds++
		w.log.LogAttrs(ctx, slog.LevelError, "message cannot be set aside and holds its key",
			w.attrs(t, slog.Any("err", err))...)
		return w.again(t, fault.KindOf(err))
	}
	w.metrics.dead.WithLabelValues(w.consumer.Group, t.record.Topic, t.letter.kind.String()).Inc()
	w.log.LogAttrs(ctx, slog.LevelError, "message set aside", w.attrs(t,
		slog.String("kind", t.letter.kind.String()), slog.String("reason", t.letter.reason),
		slog.Int("attempts", t.letter.attempts))...)
	w.unstick(t)
	return verdict{done: true}
}

// attrs names a message by its coordinates.
func (w *workshop) attrs(t *task, more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		slog.String("topic", t.record.Topic),
		slog.Int("partition", int(t.record.Partition)),
		slog.Int64("offset", t.record.Offset),
		slog.String("message_id", t.message.ID),
		slog.String("message_type", t.message.Type),
	}, more...)
}
