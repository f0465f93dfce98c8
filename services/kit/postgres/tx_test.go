package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/servertest"
)

var errOwn = errors.New("own")

func count(t *testing.T, db *DB) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM item`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func insert(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO item VALUES (1)`)
	return err
}

func TestTx(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		f    func(ctx context.Context, tx pgx.Tx) error
		kind fault.Kind
		is   error
		rows int
	}{
		"commits": {f: insert, rows: 1},
		"rolls back an error": {
			f: func(ctx context.Context, tx pgx.Tx) error { return errors.Join(insert(ctx, tx), errOwn) }, is: errOwn,
		},
		"keeps a kind": {
			f:    func(context.Context, pgx.Tx) error { return fault.Wrap(fault.Conflict, errOwn, "already so") },
			kind: fault.Conflict, is: errOwn,
		},
		"maps an error of a statement": {
			f: func(ctx context.Context, tx pgx.Tx) error {
				return tx.QueryRow(ctx, `SELECT id FROM item WHERE id = 7`).Scan(new(int))
			},
			kind: fault.NotFound, is: pgx.ErrNoRows,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := fresh(t)
			exec(t, db, `CREATE TABLE item (id int)`)
			err := db.Tx(t.Context(), tc.f)
			if (err != nil) != (tc.is != nil) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("err = %v, want %v", err, tc.is)
			}
			if err != nil && !fault.Is(err, tc.kind) {
				t.Errorf("kind = %s, want %s", fault.KindOf(err), tc.kind)
			}
			if n := count(t, db); n != tc.rows {
				t.Errorf("%d rows, want %d", n, tc.rows)
			}
		})
	}
}

func TestTxRollsBackAPanic(t *testing.T) {
	t.Parallel()
	db := fresh(t)
	exec(t, db, `CREATE TABLE item (id int)`)
	func() {
		defer func() { _ = recover() }()
		_ = db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			if err := insert(ctx, tx); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	if n := count(t, db); n != 0 || db.Stat().AcquiredConns() != 0 {
		t.Errorf("%d rows, %d connections in use", n, db.Stat().AcquiredConns())
	}
}

func TestTxIsReadCommitted(t *testing.T) {
	t.Parallel()
	db := fresh(t)
	exec(t, db, `ALTER DATABASE `+pgx.Identifier{db.Config().ConnConfig.Database}.Sanitize()+
		` SET default_transaction_isolation = 'serializable'`)
	db.Reset()
	err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		var level string
		if err := tx.QueryRow(ctx, `SHOW transaction_isolation`).Scan(&level); err != nil {
			return err
		}
		if level != "read committed" {
			t.Errorf("level = %s", level)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestExhaustedPoolIsUnavailable(t *testing.T) {
	t.Parallel()
	cfg := settings(servertest.Database(t))
	cfg.MaxConns, cfg.AcquireTimeout = 2, 50*time.Millisecond
	db := open(t, cfg, new(logbook).log())
	for range 2 {
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Release)
	}
	called := false
	err := db.Tx(t.Context(), func(context.Context, pgx.Tx) error { called = true; return nil })
	if !fault.Is(err, fault.Unavailable) || called {
		t.Errorf("err = %v, called %v", err, called)
	}
}

func TestCommitWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	own := servertest.Database(t)
	through, proxy := servertest.DatabaseThrough(t, own)
	db := open(t, settings(through), new(logbook).log())
	exec(t, db, `CREATE TABLE item (id int)`)
	err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if err := insert(ctx, tx); err != nil {
			return err
		}
		proxy.Cut()
		return nil
	})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("err = %v, want Unavailable", err)
	}
	proxy.Restore()
	eventually(t, "the pool recovers", func() bool { return db.Ping(t.Context()) == nil })
}

func TestSessionLimits(t *testing.T) {
	t.Parallel()
	cfg := settings(servertest.Database(t))
	cfg.StatementTimeout, cfg.IdleInTransactionTimeout = 100*time.Millisecond, 100*time.Millisecond
	db := open(t, cfg, new(logbook).log())
	t.Run("statement", func(t *testing.T) {
		t.Parallel()
		if _, err := db.Exec(t.Context(), `SELECT pg_sleep(60)`); !fault.Is(Map(err), fault.Unavailable) {
			t.Errorf("err = %v, want Unavailable", err)
		}
	})
	t.Run("idle in transaction", func(t *testing.T) {
		t.Parallel()
		err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			session := tx.Conn().PgConn().PID()
			eventually(t, "the server ends the session", func() bool {
				var there bool
				row := db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, session)
				return row.Scan(&there) == nil && !there
			})
			_, err := tx.Exec(ctx, `SELECT 1`)
			return err
		})
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("err = %v, want Unavailable", err)
		}
	})
}

func TestSessionParameters(t *testing.T) {
	t.Parallel()
	url := servertest.Database(t) + "&statement_timeout=7777"
	db, err := Open(settings(url), Options{Log: new(logbook).log(), Application: "inventory"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := map[string]string{
		"application_name":  "inventory",
		"statement_timeout": "7777ms", "idle_in_transaction_session_timeout": "5s",
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3", "tcp_user_timeout": "14000",
	}
	for name, value := range want {
		var got string
		if err := db.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != value {
			t.Errorf("%s = %s, want %s", name, got, value)
		}
	}
}

func TestPasswordReplacesTheOneInTheURL(t *testing.T) {
	t.Parallel()
	cfg := settings("postgres://user:old@host/db")
	cfg.Password = config.Secret("new")
	got, err := poolConfig(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	if got.ConnConfig.Password != "new" || got.ConnConfig.RuntimeParams["application_name"] != "parley" {
		t.Errorf("password or application name are wrong")
	}
}
