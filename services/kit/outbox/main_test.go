package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/servertest"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childVariable); file != "" {
		os.Exit(child(file))
	}
	// The clients with which tests look at Kafka keep one goroutine of their metrics.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// patience bounds a test.
const patience = time.Minute

// publisher is a message.Publisher made of a function.
type publisher func(ctx context.Context, messages ...message.Message) error

func (p publisher) Publish(ctx context.Context, messages ...message.Message) error {
	return p(ctx, messages...)
}

func testLog(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

func testContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	tb.Cleanup(cancel)
	return ctx
}

// openURL opens a pool of a database that is there already.
func openURL(tb testing.TB, url string) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(postgres.Config{
		URL:                      config.Secret(url),
		MaxConns:                 16,
		ConnectTimeout:           patience,
		AcquireTimeout:           patience,
		StatementTimeout:         patience,
		IdleInTransactionTimeout: patience,
	}, postgres.Options{Log: testLog(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

// open returns a database of the test's own, migrated.
func open(tb testing.TB) (context.Context, *postgres.DB) {
	tb.Helper()
	ctx := testContext(tb)
	db := openURL(tb, servertest.Database(tb))
	if err := db.Migrator(Migrations).Run(ctx); err != nil {
		tb.Fatal(err)
	}
	return ctx, db
}

// runRelay runs a relay until the test ends, or until the function it returns is
// called, which waits for it.
func runRelay(ctx context.Context, tb testing.TB, r *Relay) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.Run(ctx); err != nil {
			tb.Errorf("Run = %v", err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	tb.Cleanup(stop)
	return stop
}

func newRelay(tb testing.TB, db *postgres.DB, cfg Config, publishers map[message.Broker]message.Publisher) *Relay {
	tb.Helper()
	return NewRelay(db, cfg, publishers, Options{Log: testLog(tb)})
}

var (
	topic    = message.Address{Broker: message.Kafka, Name: "Orders"}
	exchange = message.Address{Broker: message.RabbitMQ, Name: "OrderExchange", RoutingKey: "order.confirmed"}
)

// newMessage returns the nth message of a key.
func newMessage(to message.Address, key string, n int) message.Message {
	return message.Message{
		ID:         fmt.Sprintf("%s/%s/%d", to.Name, key, n),
		Type:       "OrderPlacedEvent",
		Source:     "order",
		Subject:    key,
		Time:       time.Date(2026, 11, 23, 12, 0, 0, n*1000, time.UTC),
		DataSchema: "https://parley.sh/schema/OrderPlacedEvent.v1.json",
		Key:        key,
		To:         to,
		Data:       fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func add(ctx context.Context, tb testing.TB, db *postgres.DB, messages ...message.Message) {
	tb.Helper()
	err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error { return Add(ctx, tx, messages...) })
	if err != nil {
		tb.Fatal(err)
	}
}

func count(ctx context.Context, tb testing.TB, db *postgres.DB, table string) int {
	tb.Helper()
	var n int
	if err := db.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// eventually polls until ok.
func eventually(ctx context.Context, tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			tb.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// recorder is a publisher that keeps what it confirmed, in order.
type recorder struct {
	mu       sync.Mutex
	messages []message.Message
}

func (r *recorder) Publish(_ context.Context, messages ...message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, messages...)
	return nil
}

func (r *recorder) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages)
}

// ids lists what was confirmed, first occurrences only.
func (r *recorder) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	ids := []string{}
	for _, m := range r.messages {
		if !seen[m.ID] {
			seen[m.ID] = true
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// only wraps a publisher in the map that a relay wants, for both brokers.
func only(p message.Publisher) map[message.Broker]message.Publisher {
	return map[message.Broker]message.Publisher{message.Kafka: p, message.RabbitMQ: p}
}
