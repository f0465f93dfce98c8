package outbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// benchMessage is of the size of the platform's events, with a trace.
func benchMessage(to message.Address, n int) message.Message {
	m := newMessage(to, fmt.Sprintf("0193d2f0-0000-7000-8000-%012d", n), 1)
	m.ID = fmt.Sprintf("0193d2f0-0000-7000-9000-%012d", n)
	m.Data = fmt.Appendf(nil, `{"orderId":%q,"customerId":"customer-%d","version":1,"items":[{"productId":"123",`+
		`"quantity":2,"unitPrice":1999}],"amount":{"value":3998,"currency":"EUR"},"shippingLevel":"standard"}`, m.Key, n)
	m.Headers = map[string]string{message.TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	return m
}

// fill writes n rows of as many keys.
func fill(ctx context.Context, b *testing.B, db *postgres.DB, to message.Address, n int) {
	b.Helper()
	const perTx = 1000
	for done := 0; done < n; done += perTx {
		messages := make([]message.Message, 0, perTx)
		for i := range min(perTx, n-done) {
			messages = append(messages, benchMessage(to, done+i))
		}
		add(ctx, b, db, messages...)
	}
}

const drainRows = 200_000

// drain relays what is there and reports how fast.
func drain(ctx context.Context, b *testing.B, db *postgres.DB, p message.Publisher) {
	b.Helper()
	var sent atomic.Int64
	counted := publisher(func(ctx context.Context, m ...message.Message) error {
		err := p.Publish(ctx, m...)
		if err == nil {
			sent.Add(int64(len(m)))
		}
		return err
	})
	relay := newRelay(b, db, Defaults(), only(counted))
	start := time.Now()
	stop := runRelay(ctx, b, relay)
	eventually(ctx, b, "all are sent", func() bool { return sent.Load() >= drainRows })
	stop() // deletes what is left
	b.ReportMetric(drainRows/time.Since(start).Seconds(), "rows/s")
	b.ReportMetric(0, "ns/op")
	if n := count(ctx, b, db, "outbox"); n != 0 || sent.Load() != drainRows {
		b.Errorf("%d rows left, %d sent", n, sent.Load())
	}
}

// BenchmarkDrainKafka is the relay into a real Kafka, from the first read to the last
// delete.
func BenchmarkDrainKafka(b *testing.B) {
	for b.Loop() {
		ctx, db := open(b)
		to := kafkaTopic(b, 6, nil)
		p := kafkaPublisher(b, 0)
		if err := p.Publish(ctx, benchMessage(to, 0)); err != nil { // connected
			b.Fatal(err)
		}
		fill(ctx, b, db, to, drainRows)
		drain(ctx, b, db, p)
	}
}

// BenchmarkDrainNowhere is the relay alone: its broker confirms at once.
func BenchmarkDrainNowhere(b *testing.B) {
	for b.Loop() {
		ctx, db := open(b)
		fill(ctx, b, db, topic, drainRows)
		drain(ctx, b, db, publisher(func(context.Context, ...message.Message) error { return nil }))
	}
}

// BenchmarkInsert compares a business transaction with and without a message in the
// outbox, by Queue in the batch of the business row and by Add after it. They take
// turns, so that all meet the same machine. No relay runs.
func BenchmarkInsert(b *testing.B) {
	const rounds, length, clients = 6, time.Second, 8
	writers := []writer{insertAlone, insertAndQueue, insertAndAdd}
	for b.Loop() {
		ctx, db := open(b)
		if _, err := db.Exec(ctx, `CREATE TABLE business (
			id uuid PRIMARY KEY, customer text NOT NULL, state text NOT NULL, body jsonb NOT NULL)`); err != nil {
			b.Fatal(err)
		}
		n := make([]float64, len(writers))
		for round := range rounds * len(writers) {
			i := round % len(writers)
			l := load{clients: clients, length: length, write: writers[i]}
			n[i] += float64(l.run(ctx, b, db)) / (rounds * length.Seconds())
		}
		b.ReportMetric(n[0], "without/s")
		b.ReportMetric(n[1], "queue/s")
		b.ReportMetric(n[2], "add/s")
		b.ReportMetric(n[1]/n[0], "queue-ratio")
		b.ReportMetric(n[2]/n[0], "add-ratio")
		b.ReportMetric(0, "ns/op")
	}
}

const insertBusiness = `INSERT INTO business VALUES ($1, $2, $3, $4)`

func insertAlone(ctx context.Context, tx pgx.Tx, m message.Message) error {
	_, err := tx.Exec(ctx, insertBusiness, m.Key, "c", "placed", m.Data)
	return err
}

func insertAndQueue(ctx context.Context, tx pgx.Tx, m message.Message) error {
	var batch pgx.Batch
	batch.Queue(insertBusiness, m.Key, "c", "placed", m.Data)
	if err := Queue(ctx, &batch, m); err != nil {
		return err
	}
	return tx.SendBatch(ctx, &batch).Close()
}

func insertAndAdd(ctx context.Context, tx pgx.Tx, m message.Message) error {
	if err := insertAlone(ctx, tx, m); err != nil {
		return err
	}
	return Add(ctx, tx, m)
}

var businessID atomic.Int64

// writer writes what a business transaction writes.
type writer func(context.Context, pgx.Tx, message.Message) error

// load is clients that commit for a while.
type load struct {
	clients int
	length  time.Duration
	write   writer
}

// run returns how many transactions there were.
func (l load) run(ctx context.Context, b *testing.B, db *postgres.DB) int64 {
	b.Helper()
	var done atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(l.length)
	for range l.clients {
		all.Go(func() {
			for time.Now().Before(end) {
				m := benchMessage(topic, int(businessID.Add(1)))
				if err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error { return l.write(ctx, tx, m) }); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return done.Load()
}
