package message

import (
	"context"
	"log/slog"
	"time"

	"parley.sh/services/kit/fault"
)

// Log writes one line per message handled: Info for done, Warn for a message that
// is held or tried again, Error for one that somebody must look at.
func Log(log *slog.Logger) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m Message) error {
			start := time.Now()
			err := next(ctx, m)
			attrs := append(m.LogAttrs(), slog.Duration("duration", time.Since(start)))
			if err == nil {
				log.LogAttrs(ctx, slog.LevelInfo, "message handled", attrs...)
				return nil
			}
			kind := fault.KindOf(err)
			attrs = append(attrs, slog.String("kind", kind.String()), slog.Any("err", err))
			log.LogAttrs(ctx, levelOf(kind), "message failed", attrs...)
			return err
		}
	}
}

func levelOf(k fault.Kind) slog.Level {
	switch fault.Of(k).Delivery {
	case fault.Acknowledge:
		return slog.LevelInfo
	case fault.Hold:
		return slog.LevelWarn
	case fault.Retry, fault.DeadLetter:
	}
	return slog.LevelError
}

// LogAttrs returns what identifies m in a log line: never its data.
func (m Message) LogAttrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("message_id", m.ID),
		slog.String("message_type", m.Type),
		slog.String("subject", m.Subject),
		slog.String("place", m.Delivery.Place),
		slog.Int("attempt", m.Delivery.Attempt),
	}
	if m.To.Broker == Kafka {
		attrs = append(attrs, slog.Int("partition", int(m.Delivery.Partition)), slog.Int64("offset", m.Delivery.Offset))
	}
	return attrs
}
