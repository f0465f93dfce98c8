package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logbook is a log that a test can read.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logbook) log() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// settings are the defaults, quicker.
func settings(url string) Config {
	return Config{
		URL: config.Secret(url), MaxConns: 4,
		ConnectTimeout: 2 * time.Second, AcquireTimeout: 2 * time.Second,
		StatementTimeout: 5 * time.Second, IdleInTransactionTimeout: 5 * time.Second,
	}
}

func open(t *testing.T, cfg Config, log *slog.Logger) *DB {
	t.Helper()
	db, err := Open(cfg, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// fresh returns a DB on an empty database of its own.
func fresh(t *testing.T) *DB {
	t.Helper()
	return open(t, settings(servertest.Database(t)), new(logbook).log())
}

func exec(t *testing.T, db *DB, statement string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// eventually polls until ok or the test's patience is over.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
