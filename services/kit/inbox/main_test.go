package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// open returns a database of the test's own, with the inbox and a table of effects.
func open(t *testing.T) (context.Context, *postgres.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	db, err := postgres.Open(postgres.Config{
		URL:              config.Secret(servertest.Database(t)),
		MaxConns:         32,
		ConnectTimeout:   patience,
		AcquireTimeout:   patience,
		StatementTimeout: patience,
		// Tests hold transactions open on purpose.
		IdleInTransactionTimeout: patience,
	}, postgres.Options{Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := db.Migrator(Migrations).Run(ctx); err != nil {
		t.Fatal(err)
	}
	exec(ctx, t, db, `CREATE TABLE effect (message_id text)`)
	return ctx, db
}

func exec(ctx context.Context, t *testing.T, db *postgres.DB, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(ctx, sql, args...); err != nil {
		t.Fatal(err)
	}
}

// handle is a handler with an effect: it must have one per message.
func handle(ctx context.Context, db *postgres.DB, m message.Message) (fresh bool, err error) {
	err = db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		fresh, err = Once(ctx, tx, "test", m)
		if err != nil || !fresh {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO effect VALUES ($1)`, m.ID)
		return err
	})
	return fresh, err
}

func effects(ctx context.Context, t *testing.T, db *postgres.DB, m message.Message) int {
	t.Helper()
	var n int
	if err := db.QueryRow(ctx, `SELECT count(*) FROM effect WHERE message_id = $1`, m.ID).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func newMessage(id string, at time.Time) message.Message {
	return message.Message{ID: id, Source: "order", Type: "OrderPlacedEvent", Time: at}
}

// midnight is the last one that has passed.
func midnight() time.Time { return time.Now().UTC().Truncate(day) }

func tables(ctx context.Context, t *testing.T, db *postgres.DB) []string {
	t.Helper()
	rows, err := db.Query(ctx,
		`SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname ~ '^inbox_[0-9]' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func tableOf(at time.Time) string { return fmt.Sprintf("inbox_%s", at.UTC().Format("20060102")) }

func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
