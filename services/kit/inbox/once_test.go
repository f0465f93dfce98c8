package inbox

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

func TestOnceRefuses(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	now := time.Now()
	tests := map[string]struct {
		message message.Message
		want    fault.Kind
	}{
		"no id":              {message.Message{Source: "order", Time: now}, fault.Invalid},
		"no source":          {message.Message{ID: "1", Time: now}, fault.Invalid},
		"no time":            {message.Message{ID: "1", Source: "order"}, fault.Invalid},
		"before the epoch":   {newMessage("1", time.Date(1823, 1, 1, 0, 0, 0, 0, time.UTC)), fault.Invalid},
		"older than kept":    {newMessage("1", midnight().Add(-8*day-time.Second)), fault.Invalid},
		"beyond the horizon": {newMessage("1", now.Add(MaxAhead+time.Minute)), fault.Invalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fresh, err := handle(ctx, db, tc.message)
			if fresh || !fault.Is(err, tc.want) {
				t.Errorf("Once = %v, %v; want %s", fresh, err, tc.want)
			}
		})
	}
	t.Run("and makes nothing", func(t *testing.T) {
		if diff := cmp.Diff([]string{}, tables(ctx, t, db)); diff != "" {
			t.Errorf("partitions (-want +got):\n%s", diff)
		}
	})
}

func TestOnceKnowsARepeat(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	first := newMessage("1", time.Now())
	otherSource := first
	otherSource.Source = "payment"
	steps := []struct {
		name     string
		consumer string
		message  message.Message
		want     bool
	}{
		{"the first", "a", first, true},
		{"a repeat", "a", first, false},
		{"another consumer", "b", first, true},
		{"another source with that id", "a", otherSource, true},
		{"the oldest day kept", "a", newMessage("2", midnight().Add(-8*day)), true},
		{"the oldest day kept, again", "a", newMessage("2", midnight().Add(-8*day)), false},
		{"a clock that is ahead", "a", newMessage("3", time.Now().Add(MaxAhead-time.Minute)), true},
	}
	for _, s := range steps {
		err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			fresh, err := Once(ctx, tx, s.consumer, s.message)
			if fresh != s.want {
				t.Errorf("%s: fresh = %v, want %v", s.name, fresh, s.want)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestOnceForgetsARollback(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", time.Now())
	boom := fault.New(fault.Internal, "boom")
	err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if fresh, err := Once(ctx, tx, "test", m); !fresh || err != nil {
			t.Errorf("Once = %v, %v", fresh, err)
		}
		return boom
	})
	if !fault.Is(err, fault.Internal) {
		t.Fatal(err)
	}
	if fresh, err := handle(ctx, db, m); !fresh || err != nil {
		t.Errorf("after a rollback Once = %v, %v; want it fresh", fresh, err)
	}
}

// TestOnceConcurrent holds one delivery in its transaction while another arrives.
func TestOnceConcurrent(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	tests := map[string]struct {
		end  func(pgx.Tx, context.Context) error
		want bool
	}{
		"the first commits":    {pgx.Tx.Commit, false},
		"the first rolls back": {pgx.Tx.Rollback, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMessage(name, time.Now())
			first, err := db.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if fresh, err := Once(ctx, first, "test", m); !fresh || err != nil {
				t.Fatalf("first Once = %v, %v", fresh, err)
			}
			pid := make(chan uint32, 1)
			second := make(chan bool, 1)
			go func() {
				second <- onceInTx(ctx, t, db, m, pid)
			}()
			waitBlocked(ctx, t, db, <-pid)
			if err := tc.end(first, ctx); err != nil {
				t.Fatal(err)
			}
			if got := <-second; got != tc.want {
				t.Errorf("the second was fresh = %v, want %v", got, tc.want)
			}
		})
	}
}

func onceInTx(ctx context.Context, t *testing.T, db *postgres.DB, m message.Message, pid chan<- uint32) (fresh bool) {
	t.Helper()
	err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		pid <- tx.Conn().PgConn().PID()
		fresh, err = Once(ctx, tx, "test", m)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return fresh
}

// waitBlocked waits until the session waits for a lock.
func waitBlocked(ctx context.Context, t *testing.T, db *postgres.DB, pid uint32) {
	t.Helper()
	for blocked := false; !blocked; {
		row := db.QueryRow(ctx, `SELECT cardinality(pg_blocking_pids($1)) > 0`, int32(pid)) //nolint:gosec // a process id
		if err := row.Scan(&blocked); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnceStampede delivers one message many times at once, on a day that nobody
// has made yet, as at midnight without a Keeper.
func TestOnceStampede(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", time.Now())
	other := newMessage("2", time.Now().Add(-day))
	var fresh atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		for _, m := range []message.Message{m, other} {
			all.Go(func() {
				got, err := handle(ctx, db, m)
				if err != nil {
					t.Error(err)
				}
				if got {
					fresh.Add(1)
				}
			})
		}
	}
	all.Wait()
	if got := fresh.Load(); got != 2 {
		t.Errorf("%d deliveries were fresh, want 2", got)
	}
	for _, m := range []message.Message{m, other} {
		if n := effects(ctx, t, db, m); n != 1 {
			t.Errorf("message %s had %d effects", m.ID, n)
		}
	}
}

// TestOnceInSerializable sees no partition that was made after its snapshot.
func TestOnceInSerializable(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	once := func() (bool, error) {
		var fresh bool
		err := pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) (err error) {
			fresh, err = Once(ctx, tx, "test", newMessage("1", midnight()))
			return err
		})
		return fresh, err
	}
	if fresh, err := once(); fresh || !fault.Is(err, fault.Unavailable) {
		t.Errorf("first Once = %v, %v; want Unavailable", fresh, err)
	}
	if fresh, err := once(); !fresh || err != nil {
		t.Errorf("second Once = %v, %v; want it fresh", fresh, err)
	}
}
