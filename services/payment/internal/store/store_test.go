package store_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley.sh/services/contract"
	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a store on a database of the test's own.
type bench struct {
	*store.Store
	t     *testing.T
	db    *postgres.DB
	woken atomic.Int64
}

func open(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, db: openURL(t, servertest.Database(t), 16)}
	if err := b.db.Migrator(store.Migrations()...).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Store = store.New(b.db, func() { b.woken.Add(1) })
	return b
}

func openURL(t *testing.T, url string, conns int32) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(postgres.Config{
		URL: config.Secret(url), MaxConns: conns, ConnectTimeout: 30 * time.Second, AcquireTimeout: time.Minute,
		StatementTimeout: time.Minute, IdleInTransactionTimeout: time.Minute,
	}, postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	servertest.Database(t) // skips here rather than in every part
	storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return open(t) })
}

// published returns what the outbox holds, in its order, and empties it.
func (b *bench) published() []message.Message {
	b.t.Helper()
	rows, _ := b.db.Query(b.t.Context(), `WITH gone AS (DELETE FROM outbox RETURNING *)
		SELECT type, key, broker, name, source, subject, message_id, data FROM gone ORDER BY id`)
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m message.Message, err error) {
		err = row.Scan(&m.Type, &m.Key, &m.To.Broker, &m.To.Name, &m.Source, &m.Subject, &m.ID, &m.Data)
		return m, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return messages
}

// query returns one number.
func (b *bench) query(sql string) (n int64) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), sql).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// balanced checks that every entry of the ledger has two lines that sum to zero.
func (b *bench) balanced() {
	b.t.Helper()
	if n := b.query(`SELECT count(*) FROM ledger_entry e LEFT JOIN (
			SELECT entry_id, count(*) AS lines, sum(amount_minor) AS total FROM ledger_line GROUP BY entry_id
		) l ON l.entry_id = e.id WHERE l.lines IS DISTINCT FROM 2 OR l.total <> 0`); n != 0 {
		b.t.Errorf("%d entries do not sum to zero", n)
	}
}

// provider is one that does everything, and counts the calls by their ids.
type provider struct {
	mu    sync.Mutex
	calls map[string]int
}

func (p *provider) Call(_ context.Context, i payment.Intent) (payment.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[i.ID()]++
	return payment.Result{Answer: machine.Done, ProviderRef: "auth_" + i.OrderID}, nil
}

// order is an order's messages, as the service handles them.
type order struct {
	b  *bench
	h  payment.Handler
	id string
}

func (b *bench) order() order {
	return order{b: b, h: payment.Handler{Provider: &provider{}}, id: storetest.OrderID()}
}

func (o order) do(what string, version int, m message.Message) error {
	ctx, t, c := o.b.t.Context(), o.b.For(m), payment.Command{OrderID: o.id, OrderVersion: version}
	switch what {
	case "fulfil":
		return o.h.Fulfil(ctx, t, c)
	case "undo":
		return o.h.Undo(ctx, t, c)
	}
	return o.h.Place(ctx, t, payment.Placed{OrderID: o.id, Version: version, Amount: storetest.Amount, Token: "tok_ok"})
}

// A journey leaves its facts in the outbox, each by the contract, and each message
// has one effect however often it comes.
func TestJourneyIsRecordedAndAnnounced(t *testing.T) {
	t.Parallel()
	b := open(t)
	o := b.order()
	amount := contract.Money{AmountMinor: storetest.Amount.Minor, Currency: "EUR"}
	for version, step := range []struct {
		what string
		want func(message.Message) (contract.Payload, error)
		is   contract.Payload
	}{
		{"place", decode[contract.PaymentAuthorizedEvent], contract.PaymentAuthorizedEvent{OrderID: o.id, OrderVersion: 1, Amount: amount, ProviderRef: "auth_" + o.id}},
		{"fulfil", decode[contract.PaymentCapturedEvent], contract.PaymentCapturedEvent{OrderID: o.id, OrderVersion: 2, Amount: amount, ProviderRef: "auth_" + o.id}},
		{"undo", decode[contract.PaymentRefundedEvent], contract.PaymentRefundedEvent{OrderID: o.id, OrderVersion: 3, Amount: amount}},
	} {
		m, woken := storetest.Message(), b.woken.Load()
		for range 3 {
			if err := o.do(step.what, version+1, m); err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
		}
		messages := b.published()
		if len(messages) != 1 || b.woken.Load() != woken+1 {
			t.Fatalf("%s: %d messages, the relay woken %d times", step.what, len(messages), b.woken.Load()-woken)
		}
		got, err := step.want(messages[0])
		if diff := cmp.Diff(step.is, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", step.what, err, diff)
		}
		if a := messages[0].To; a.Broker != message.Kafka || a.Name != contract.TopicPayments || messages[0].Key != o.id {
			t.Errorf("%s goes to %s", step.what, a)
		}
		b.balanced()
	}
	if n := b.query(`SELECT count(*) FROM intent`); n != 3 {
		t.Errorf("%d intents, want 3", n)
	}
	if n := b.query(`SELECT sum(amount_minor) FILTER (WHERE account = 'customer') FROM ledger_line`); n != 0 {
		t.Errorf("the customer is left with %d", n)
	}
}

func decode[P contract.Payload](m message.Message) (contract.Payload, error) {
	return contract.Decode[P](m)
}

// A tombstone and a declined payment are closed without an amount.
func TestNothingHeldHasNoAmount(t *testing.T) {
	t.Parallel()
	b := open(t)
	o := b.order()
	for _, what := range []string{"undo", "place", "fulfil"} {
		if err := o.do(what, 2, storetest.Message()); err != nil {
			t.Fatal(err)
		}
	}
	messages := b.published()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	got, err := decode[contract.PaymentVoidedEvent](messages[0])
	if diff := cmp.Diff(contract.PaymentVoidedEvent{OrderID: o.id, OrderVersion: 2}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if n := b.query(`SELECT count(*) FROM ledger_entry`) + b.query(`SELECT count(*) FROM intent`); n != 0 {
		t.Errorf("%d entries and intents", n)
	}
}

// Messages of one order at the same moment, each twice, end settled: every intent
// was opened once and moved money once, and there is one closing fact.
func TestConcurrentMessagesOfOneOrder(t *testing.T) {
	t.Parallel()
	b := open(t)
	var orders sync.WaitGroup
	for range 8 {
		orders.Go(func() {
			o := b.order()
			o.race("place", "undo")
			if err := o.do("undo", 2, storetest.Message()); err != nil {
				t.Error(err)
			}
			o = b.order()
			if err := o.do("place", 1, storetest.Message()); err != nil {
				t.Error(err)
			}
			o.race("fulfil", "undo", "undo")
		})
	}
	orders.Wait()
	b.balanced()
	if n := b.query(`SELECT count(*) FROM payment WHERE state IN ('voided', 'refunded', 'tombstone')`); n != 16 {
		t.Errorf("%d payments are closed, want 16", n)
	}
	if n := b.query(`SELECT count(*) FROM outbox WHERE type IN ('PaymentVoidedEvent', 'PaymentRefundedEvent')`); n != 16 {
		t.Errorf("%d closing facts, want 16", n)
	}
	if n := b.query(`SELECT count(*) FROM (SELECT order_id, account, sum(amount_minor) AS s FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id
			GROUP BY 1, 2) x WHERE s <> 0`); n != 0 {
		t.Errorf("%d accounts of cancelled orders are not zero", n)
	}
	if n := b.query(`SELECT count(*) FROM intent i LEFT JOIN ledger_entry e USING (order_id, kind) WHERE e.id IS NULL`); n != 0 {
		t.Errorf("%d intents were left open", n)
	}
}

// race brings messages at the same moment, each twice.
func (o order) race(messages ...string) {
	var racing sync.WaitGroup
	for _, what := range messages {
		m := storetest.Message()
		for range 2 {
			racing.Go(func() {
				if err := o.do(what, 2, m); err != nil {
					o.b.t.Errorf("%s: %v", what, err)
				}
			})
		}
	}
	racing.Wait()
}

// A message that the inbox cannot judge begins nothing: the provider is not called.
func TestTooOldIsInvalid(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, at := range map[string]time.Time{"old": time.Now().AddDate(0, 0, -30), "ahead": time.Now().Add(24 * time.Hour), "none": {}} {
		o, m := b.order(), storetest.Message()
		calls := &provider{}
		o.h, m.Time = payment.Handler{Provider: calls}, at
		if err := o.do("place", 1, m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
		if len(calls.calls) != 0 {
			t.Errorf("%s: the provider was called", name)
		}
	}
	if n := b.query(`SELECT count(*) FROM payment`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// Without the database every error says that trying again can help.
func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	s := store.New(openURL(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable", 2), func() {})
	act := func(context.Context, payment.Tx, payment.Payment) error { return nil }
	calls := map[string]func() error{
		"look": func() error { return s.For(storetest.Message()).Look(t.Context(), storetest.OrderID(), act) },
		"once": func() error { return s.For(storetest.Message()).Once(t.Context(), storetest.OrderID(), act) },
		"view": func() error { _, err := s.View(t.Context(), storetest.OrderID()); return err },
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

// A connection that is lost while an intent is read is an outage and no defect.
func TestLostConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	b := open(t)
	err := b.For(storetest.Message()).Look(t.Context(), storetest.OrderID(), func(ctx context.Context, tx payment.Tx, p payment.Payment) error {
		const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'`
		if _, err := b.db.Exec(ctx, end); err != nil {
			t.Error(err)
		}
		p.State = machine.Capturing
		_, err := tx.Intent(ctx, p)
		return err
	})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable", err)
	}
}
