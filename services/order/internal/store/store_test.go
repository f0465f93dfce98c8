package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/order/internal/bus"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/store"
	"parley.sh/services/order/internal/store/storetest"
	"parley.sh/services/order/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a pool on a migrated database; several may be opened on one.
func open(tb testing.TB, url string) *postgres.DB {
	tb.Helper()
	cfg := postgres.Config{
		URL: config.Secret(url), MaxConns: 12, ConnectTimeout: 10 * time.Second, AcquireTimeout: 30 * time.Second,
		StatementTimeout: 30 * time.Second, IdleInTransactionTimeout: 30 * time.Second,
	}
	db, err := postgres.Open(cfg, postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	if err := db.Migrator(store.Migrations()...).Run(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return db
}

func newStore(db *postgres.DB) *store.Store {
	announcer := bus.Announcer{NewID: func() string { return uuid.Must(uuid.NewV7()).String() }}
	return store.New(db, store.Options{Announce: announcer.Messages, Wrote: func(order.Change) {}})
}

func TestStore(t *testing.T) {
	t.Parallel()
	servertest.Database(t) // skips here rather than in every part
	storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return newStore(open(t, servertest.Database(t))) })
}

func count(t *testing.T, db *postgres.DB, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Fifty requests under one key, over two pools, make one order and one event.
func TestConcurrentCreatesOfOneKeyMakeOneOrder(t *testing.T) {
	t.Parallel()
	url := servertest.Database(t)
	dbs := []*postgres.DB{open(t, url), open(t, url)}
	var racing sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		racing.Go(func() {
			c, k := storetest.Place("ada")
			k.Key = "one"
			errs[i] = newStore(dbs[i%2]).Create(t.Context(), c, k)
		})
	}
	racing.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, order.ErrKeyTaken):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d requests won, want 1", won)
	}
	for _, table := range []string{"orders", "timeline", "idempotency"} {
		if n := count(t, dbs[0], "SELECT count(*) FROM "+table); n != 1 {
			t.Errorf("%s has %d rows, want 1", table, n)
		}
	}
	if n := count(t, dbs[0], "SELECT count(*) FROM outbox WHERE broker = 'kafka'"); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// Facts about one order that arrive at the same moment, each several times, are
// all recorded: nobody decides on a row that another is about to write.
func TestConcurrentFactsLoseNoLeg(t *testing.T) {
	t.Parallel()
	db := open(t, servertest.Database(t))
	s := newStore(db)
	at := time.Now().UTC()
	for range 10 {
		o := storetest.Placed(t, s, "ada")
		service := order.NewService(order.Settings{
			Store: s, Timing: order.Timing{Deadline: time.Hour, AskAfter: time.Hour, AskCap: time.Hour},
			Now: func() time.Time { return at },
		})
		facts := map[string]func(machine.Order) (machine.Decision, error){
			"reserved":   func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, machine.StockReserved) },
			"authorized": func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, machine.MoneyAuthorized) },
		}
		var racing sync.WaitGroup
		for name, decide := range facts {
			for range 4 {
				racing.Go(func() {
					r := order.Receipt{Consumer: bus.Group, ID: o.ID + name, Source: "test", Type: name, Time: at}
					if err := service.React(t.Context(), order.Fact{OrderID: o.ID, Receipt: r, Decide: decide}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		racing.Wait()
		got, err := s.Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Progress; p.State != machine.Confirmed || p.Version != 2 {
			t.Errorf("the order is %s at version %d, want confirmed at 2", p.State, p.Version)
		}
		if n := count(t, db, "SELECT count(*) FROM outbox WHERE key = $1 AND type = 'FulfilOrder'", o.ID); n != 1 {
			t.Errorf("%d FulfilOrder, want 1", n)
		}
	}
}

// A row whose transaction commits late lies behind everything that a reader saw
// before: the reader gets it.
func TestChangesSkipNoLateCommit(t *testing.T) {
	t.Parallel()
	db := open(t, servertest.Database(t))
	s := newStore(db)
	start, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late, _ := storetest.Place("late")
	locked, commit := make(chan struct{}), make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			if err := store.InsertForTest(ctx, tx, late); err != nil {
				return err
			}
			close(locked)
			<-commit
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-locked
	early := storetest.Placed(t, s, "early") // a later transaction, committed first
	seen, err := s.Changes(t.Context(), start, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 0 {
		t.Errorf("%d changes were shown while an older transaction was running", len(seen))
	}
	close(commit)
	writing.Wait()
	var got []string
	for len(got) < 2 {
		seen, err := s.Changes(t.Context(), start, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range seen {
			got, start = append(got, p.OrderID), p.Position
		}
		wait(t)
	}
	if got[0] != late.Order.ID || got[1] != early.ID {
		t.Errorf("got %v, want the late order and then the early one", got)
	}
}

// wait lets other tests' transactions on the server end.
func wait(t *testing.T) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal("the test is over")
	case <-time.After(2 * time.Millisecond):
	}
}

// A reader that always resumes at the last position it saw sees every change once,
// whatever the writers do.
func TestChangesUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	db := open(t, servertest.Database(t))
	s := newStore(db)
	const writers, each = 8, 25
	after, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for range each {
				c, k := storetest.Place(fmt.Sprint(w))
				if err := s.Create(t.Context(), c, k); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[string]int{}
	for len(seen) < writers*each {
		page, err := s.Changes(t.Context(), after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			seen[p.OrderID]++
			after = p.Position
		}
		if len(page) == 0 {
			wait(t)
		}
	}
	writing.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("order %s was seen %d times", id, n)
		}
	}
}

// Of two replicas that find the same due order one acts; the other does not wait.
func TestUpdateDueSkipsAnOrderInOtherHands(t *testing.T) {
	t.Parallel()
	url := servertest.Database(t)
	s, db := newStore(open(t, url)), open(t, url)
	o := storetest.Placed(t, s, "ada")
	late := o.DeadlineAt.Add(time.Second)
	err := db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM orders WHERE id = $1 FOR UPDATE", o.ID); err != nil {
			return err
		}
		done, err := s.UpdateDue(ctx, o.ID, order.ClockDeadline, late, func(order.Order) (order.Change, error) {
			t.Error("it was decided")
			return order.Change{}, nil
		})
		if done {
			t.Error("it was done")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What cannot be announced is not written.
func TestAnnouncementAndChangeAreOne(t *testing.T) {
	t.Parallel()
	db := open(t, servertest.Database(t))
	boom := errors.New("boom")
	s := store.New(db, store.Options{
		Announce: func(order.Change) ([]message.Message, error) { return []message.Message{{}}, nil }, // refused by the outbox
		Wrote:    func(order.Change) { t.Error("told of a change that is not durable") },
	})
	c, k := storetest.Place("ada")
	if err := s.Create(t.Context(), c, k); err == nil {
		t.Error("an order without its event was accepted")
	}
	if n := count(t, db, "SELECT count(*) FROM orders"); n != 0 {
		t.Errorf("%d orders were written", n)
	}
	s = store.New(db, store.Options{Announce: func(order.Change) ([]message.Message, error) { return nil, boom }})
	if err := s.Create(t.Context(), c, k); !errors.Is(err, boom) {
		t.Errorf("got %v, want the announcer's error", err)
	}
}

// Without the database every error says that trying again can help.
func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	cfg := postgres.Config{
		URL: "postgres://nobody@127.0.0.1:1/none?sslmode=disable", MaxConns: 2, ConnectTimeout: time.Second,
		AcquireTimeout: time.Second, StatementTimeout: time.Second, IdleInTransactionTimeout: time.Second,
	}
	db, err := postgres.Open(cfg, postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s, ctx := newStore(db), t.Context()
	c, k := storetest.Place("ada")
	calls := map[string]func() error{
		"create":     func() error { return s.Create(ctx, c, k) },
		"order":      func() error { _, err := s.Order(ctx, c.Order.ID); return err },
		"key":        func() error { _, err := s.Key(ctx, "ada", "k"); return err },
		"update":     func() error { _, err := s.Update(ctx, c.Order.ID, nil, nil); return err },
		"due":        func() error { _, err := s.Due(ctx, order.ClockAsk, storetest.Start, 1); return err },
		"update due": func() error { _, err := s.UpdateDue(ctx, c.Order.ID, order.ClockAsk, storetest.Start, nil); return err },
		"orders":     func() error { _, err := s.Orders(ctx, order.Filter{Limit: 1}); return err },
		"timeline":   func() error { _, err := s.Timeline(ctx, c.Order.ID, 0); return err },
		"changes":    func() error { _, err := s.Changes(ctx, "1-1", 1); return err },
		"now":        func() error { _, err := s.Now(ctx); return err },
		"level":      func() error { return s.SaveLevels(ctx, []order.StockLevel{{}}) },
		"caught up":  func() error { return s.SaveCaughtUp(ctx, 0, storetest.Start) },
		"levels":     func() error { _, err := s.Levels(ctx, []string{"1"}, storetest.Start); return err },
		"purge":      func() error { _, err := s.PurgeKeys(ctx, storetest.Start); return err },
		"unsettled":  func() error { _, _, err := s.Unsettled(ctx); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := call(); !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want Unavailable", err)
			}
		})
	}
}
