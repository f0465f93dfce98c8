package outbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// fill writes n rows of as many keys, spread over the platform's destinations, as
// services write them.
func fill(ctx context.Context, b *testing.B, db *postgres.DB, n int) {
	b.Helper()
	data := make([]byte, 300)
	for i := range data {
		data[i] = byte('a' + i%26)
	}
	const perTx = 1000
	for done := 0; done < n; done += perTx {
		messages := make([]message.Message, 0, perTx)
		for i := range min(perTx, n-done) {
			m := newMessage(topic, fmt.Sprintf("0193d2f0-0000-7000-8000-%012d", done+i), 1)
			m.Data = fmt.Appendf(nil, `{"orderId":%q,"note":%q}`, m.Key, data)
			m.Headers = map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
			messages = append(messages, m)
		}
		err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error { return Add(ctx, tx, messages...) })
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDrainNowhere is the relay alone: its broker confirms at once.
func BenchmarkDrainNowhere(b *testing.B) {
	ctx, db := open(b)
	const rows = 200_000
	fill(ctx, b, db, rows)
	var sent atomic.Int64
	sink := publisher(func(_ context.Context, m ...message.Message) error {
		sent.Add(int64(len(m)))
		return nil
	})
	relay := newRelay(b, db, Defaults(), only(sink))
	start := time.Now()
	stop := runRelay(ctx, b, relay)
	eventually(ctx, b, "all are sent", func() bool { return sent.Load() >= rows })
	stop()
	b.ReportMetric(rows/time.Since(start).Seconds(), "rows/s")
	if n := count(ctx, b, db, "outbox"); n != 0 || sent.Load() != rows {
		b.Errorf("%d rows left, %d sent", n, sent.Load())
	}
}
