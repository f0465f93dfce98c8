package inbox

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
)

// keeperAt returns a keeper for whom it is now at.
func keeperAt(t *testing.T, db *postgres.DB, at time.Time) *Keeper {
	t.Helper()
	return NewKeeper(db, Defaults(), Options{
		Log: testLog(t),
		Now: func() time.Time { return at },
	})
}

func sweep(ctx context.Context, t *testing.T, db *postgres.DB, at time.Time) {
	t.Helper()
	if err := keeperAt(t, db, at).sweep(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestSweepMakesDaysAhead(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	now := time.Now()
	sweep(ctx, t, db, now)
	want := []string{tableOf(now), tableOf(now.Add(day)), tableOf(now.Add(2 * day))}
	if diff := cmp.Diff(want, tables(ctx, t, db)); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
}

// TestAcrossMidnight delivers a message before midnight, and again after it.
func TestAcrossMidnight(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", midnight().Add(-time.Second))
	sweep(ctx, t, db, m.Time)
	if fresh, err := handle(ctx, db, m); !fresh || err != nil {
		t.Fatalf("before midnight Once = %v, %v", fresh, err)
	}
	sweep(ctx, t, db, midnight().Add(time.Second))
	if fresh, err := handle(ctx, db, m); fresh || err != nil {
		t.Errorf("after midnight Once = %v, %v; want a repeat", fresh, err)
	}
	if n := effects(ctx, t, db, m); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
}

// TestAfterPurge delivers a message again on every day until its row is gone.
func TestAfterPurge(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", time.Now())
	if fresh, err := handle(ctx, db, m); !fresh || err != nil {
		t.Fatalf("Once = %v, %v", fresh, err)
	}
	for d := range 9 {
		sweep(ctx, t, db, m.Time.Add(time.Duration(d)*day))
		if fresh, err := handle(ctx, db, m); fresh || err != nil {
			t.Errorf("%d days later Once = %v, %v; want a repeat", d, fresh, err)
		}
	}
	sweep(ctx, t, db, m.Time.Add(9*day))
	if fresh, err := handle(ctx, db, m); fresh || !fault.Is(err, fault.Invalid) {
		t.Errorf("after the purge Once = %v, %v; want Invalid", fresh, err)
	}
	if n := effects(ctx, t, db, m); n != 1 {
		t.Errorf("%d effects, want 1", n)
	}
	if got := tables(ctx, t, db)[0]; got != tableOf(m.Time.Add(day)) {
		t.Errorf("the oldest partition is %s", got)
	}
	// A clock that is behind neither brings the day back nor lowers the window.
	sweep(ctx, t, db, m.Time)
	if fresh, err := handle(ctx, db, m); fresh || !fault.Is(err, fault.Invalid) {
		t.Errorf("with the clock set back Once = %v, %v; want Invalid", fresh, err)
	}
}

// TestPurgeWaits holds a transaction open in the partition that is to go.
func TestPurgeWaits(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", time.Now())
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := Once(ctx, tx, "test", m); !fresh || err != nil {
		t.Fatalf("Once = %v, %v", fresh, err)
	}
	swept := make(chan error, 1)
	go func() { swept <- keeperAt(t, db, m.Time.Add(9*day)).sweep(ctx) }()
	waitDetaching(ctx, t, db)
	other := newMessage("2", m.Time.Add(time.Minute))
	if fresh, err := handle(ctx, db, other); fresh || !fault.Is(err, fault.Invalid) {
		t.Errorf("in a day that goes Once = %v, %v; want Invalid", fresh, err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Errorf("the transaction that was there first must go through: %v", err)
	}
	if err := <-swept; err != nil {
		t.Error(err)
	}
}

// waitDetaching waits until a concurrent detach waits for others.
func waitDetaching(ctx context.Context, t *testing.T, db *postgres.DB) {
	t.Helper()
	for waiting := false; !waiting; {
		row := db.QueryRow(ctx, `
			SELECT EXISTS (SELECT FROM pg_stat_activity
			               WHERE datname = current_database() AND query LIKE '%DETACH%' AND wait_event_type = 'Lock'
			                 AND pid <> pg_backend_pid())`)
		if err := row.Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSweepFinishesADetach finds what a sweep leaves that dies while it waits, and
// one that dies before it drops.
func TestSweepFinishesADetach(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	now := time.Now()
	m := newMessage("1", now)
	sweep(ctx, t, db, now.Add(-day))
	exec(ctx, t, db, "ALTER TABLE inbox DETACH PARTITION "+tableOf(now.Add(-day)))
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Once(ctx, tx, "test", m); err != nil {
		t.Fatal(err)
	}
	dying, die := context.WithCancel(ctx)
	died := make(chan error, 1)
	go func() {
		_, err := db.Exec(dying, "ALTER TABLE inbox DETACH PARTITION "+tableOf(now)+" CONCURRENTLY")
		died <- err
	}()
	waitDetaching(ctx, t, db)
	die()
	if err := <-died; err == nil {
		t.Fatal("the detach was to be interrupted")
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	sweep(ctx, t, db, now.Add(10*day))
	want := []string{tableOf(now.Add(10 * day)), tableOf(now.Add(11 * day)), tableOf(now.Add(12 * day))}
	if diff := cmp.Diff(want, tables(ctx, t, db)); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
}

// TestKeepersTogether runs the keepers of several replicas, with work going on.
func TestKeepersTogether(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cfg := Config{Keep: 8 * day, SweepInterval: time.Millisecond}
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := NewKeeper(db, cfg, Options{Log: testLog(t)}).Run(running); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 200 {
		m := newMessage(time.Duration(i).String(), midnight().Add(-time.Duration(i%8)*day))
		if fresh, err := handle(ctx, db, m); !fresh || err != nil {
			t.Errorf("Once = %v, %v", fresh, err)
		}
	}
	stop()
	all.Wait()
	var rows int
	if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM inbox`).Scan(&rows)
	}); err != nil || rows != 200 {
		t.Errorf("%d rows, %v; want 200", rows, err)
	}
}
