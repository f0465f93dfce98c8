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
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store"
	"parley.sh/services/shipping/internal/store/storetest"
	"parley.sh/services/shipping/machine"
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
		SELECT type, key, broker, name, routing_key, source, subject, message_id, data FROM gone ORDER BY id`)
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m message.Message, err error) {
		err = row.Scan(&m.Type, &m.Key, &m.To.Broker, &m.To.Name, &m.To.RoutingKey, &m.Source, &m.Subject, &m.ID, &m.Data)
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

// carrier takes every parcel, or refuses all.
type carrier struct{ answer machine.Answer }

func (c carrier) Label(_ context.Context, s shipping.Shipment) (shipping.Result, error) {
	if c.answer == machine.Refused {
		return shipping.Result{Answer: machine.Refused}, nil
	}
	return shipping.Result{Answer: machine.Labelled, TrackingNumber: "trk_" + s.OrderID}, nil
}

// do brings a message about an order.
func (b *bench) do(what, orderID string, m message.Message, c carrier) error {
	ctx, t := b.t.Context(), b.For(m)
	switch what {
	case "cancel":
		return shipping.Cancel(ctx, t, orderID, 3)
	case "print":
		return shipping.Worker{Carrier: c}.Print(ctx, t, orderID)
	}
	return shipping.Fulfil(ctx, t, shipping.Request{OrderID: orderID, OrderVersion: 2, Level: "express", Address: "1 High Street"})
}

// What a change says is in the outbox, by the contract, and each message has one
// effect however often it comes.
func TestJourneysAreAnnounced(t *testing.T) {
	t.Parallel()
	b := open(t)
	type step struct {
		what string
		want func(id string) contract.Payload // nil is silence
	}
	label := func(id string) contract.Payload {
		return contract.PrintLabel{OrderID: id, OrderVersion: 2, Level: "express", ShipTo: "1 High Street"}
	}
	dispatched := func(id string) contract.Payload {
		return contract.ShipmentDispatchedEvent{OrderID: id, OrderVersion: 2, TrackingNumber: "trk_" + id, Level: "express"}
	}
	failed := func(version int, reason string) func(string) contract.Payload {
		return func(id string) contract.Payload {
			return contract.ShipmentFailedEvent{OrderID: id, OrderVersion: version, Reason: reason}
		}
	}
	tests := map[string]struct {
		carrier carrier
		steps   []step
	}{
		"dispatched":          {carrier{}, []step{{"fulfil", label}, {"print", dispatched}, {"cancel", nil}, {"fulfil", nil}, {"print", nil}}},
		"refused":             {carrier{machine.Refused}, []step{{"fulfil", label}, {"print", failed(2, "carrier")}, {"cancel", nil}}},
		"cancelled in time":   {carrier{}, []step{{"fulfil", label}, {"cancel", failed(3, "cancelled")}, {"print", nil}}},
		"cancelled before it": {carrier{}, []step{{"cancel", failed(3, "cancelled")}, {"fulfil", nil}, {"cancel", nil}}},
	}
	for name, tc := range tests { // one after the other: they look at one outbox
		id := storetest.OrderID()
		for _, s := range tc.steps {
			m, woken := storetest.Message(), b.woken.Load()
			for range 2 {
				if err := b.do(s.what, id, m, tc.carrier); err != nil {
					t.Fatalf("%s, %s: %v", name, s.what, err)
				}
			}
			var want, got []contract.Payload
			if s.want != nil {
				want = append(want, s.want(id))
			}
			for _, m := range b.published() {
				got = append(got, decode(t, m))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, s.what, diff)
			}
			if woke := b.woken.Load() - woken; woke != int64(len(want)) {
				t.Errorf("%s, %s: the relay was woken %d times", name, s.what, woke)
			}
		}
	}
}

// decode reads a message by its contract, and checks where it goes.
func decode(t *testing.T, m message.Message) (p contract.Payload) {
	t.Helper()
	var err error
	switch m.Type {
	case "PrintLabel":
		p, err = contract.Decode[contract.PrintLabel](m)
	case "ShipmentDispatchedEvent":
		p, err = contract.Decode[contract.ShipmentDispatchedEvent](m)
	case "ShipmentFailedEvent":
		p, err = contract.Decode[contract.ShipmentFailedEvent](m)
	default:
		t.Fatalf("%s is not the service's to send", m.Type)
	}
	if err != nil || m.To != p.Address() || m.Key != p.Subject() || m.Source != contract.Shipping || m.ID == "" {
		t.Errorf("%s: %v, sent as %+v", m.Type, err, m)
	}
	return p
}

// A label that is asked for again has a new message id, and is that of the level.
func TestPrintAgainIsANewMessage(t *testing.T) {
	t.Parallel()
	b := open(t)
	ids := map[string]bool{}
	for _, level := range []string{"express", "standard"} {
		r := shipping.Request{OrderID: storetest.OrderID(), OrderVersion: 2, Level: level, Address: "1 High Street"}
		if err := shipping.Fulfil(t.Context(), b.For(storetest.Message()), r); err != nil {
			t.Fatal(err)
		}
		first := b.published()
		n, err := b.PrintAgain(t.Context(), time.Now().Add(time.Second), 10)
		if err != nil || n != 1+len(ids)/2 {
			t.Errorf("asked for %d again, %v", n, err)
		}
		for _, m := range append(first, b.published()...) {
			if p := decode(t, m); p.Subject() == r.OrderID {
				ids[m.ID] = true
				want := contract.PrintLabel{OrderID: r.OrderID, OrderVersion: 2, Level: level, ShipTo: "1 High Street"}
				if diff := cmp.Diff(contract.Payload(want), p); diff != "" {
					t.Error(diff)
				}
			}
		}
	}
	if len(ids) != 4 {
		t.Errorf("%d message ids, want 4", len(ids))
	}
}

// Two replicas that look at once ask for each label once, and wait for nothing that
// another transaction holds.
func TestPrintAgainByTwoReplicas(t *testing.T) {
	t.Parallel()
	b := open(t)
	const shipments = 60
	held := storetest.OrderID()
	for n := range shipments {
		id := storetest.OrderID()
		if n == 0 {
			id = held
		}
		if err := b.do("fulfil", id, storetest.Message(), carrier{}); err != nil {
			t.Fatal(err)
		}
	}
	b.published()
	late := time.Now()
	err := b.For(storetest.Message()).Look(t.Context(), held, func(ctx context.Context, _ shipping.Tx, _ shipping.Shipment) error {
		var looking sync.WaitGroup
		for range 2 {
			looking.Go(func() {
				for n := 7; n == 7; {
					var err error
					if n, err = b.PrintAgain(ctx, late, 7); err != nil {
						t.Error(err)
					}
				}
			})
		}
		looking.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.PrintAgain(t.Context(), late, 100); n != 1 || err != nil {
		t.Errorf("%d were left, %v; want the one that was held", n, err)
	}
	if n, all := b.query(`SELECT count(DISTINCT key) FROM outbox`), b.query(`SELECT count(*) FROM outbox`); n != shipments || all != shipments {
		t.Errorf("%d messages about %d shipments, want %d", all, n, shipments)
	}
}

// Cancellation and label at the same moment: shipping says exactly one thing.
func TestConcurrentMessagesOfOneOrder(t *testing.T) {
	t.Parallel()
	b := open(t)
	const orders = 10
	var running sync.WaitGroup
	for range orders {
		id := storetest.OrderID()
		if err := b.do("fulfil", id, storetest.Message(), carrier{}); err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"cancel", "print", "fulfil"} {
			m := storetest.Message()
			for range 2 {
				running.Go(func() {
					if err := b.do(what, id, m, carrier{}); err != nil {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
		}
	}
	running.Wait()
	if n := b.query(`SELECT count(*) FROM shipment WHERE state IN ('dispatched', 'cancelled')`); n != orders {
		t.Errorf("%d shipments have ended, want %d", n, orders)
	}
	if n := b.query(`SELECT count(*) FROM outbox WHERE name = 'Shipments'`); n != orders {
		t.Errorf("%d facts, want %d", n, orders)
	}
	if n := b.query(`SELECT count(*) FROM shipment s LEFT JOIN outbox o ON o.key = s.order_id::text AND o.name = 'Shipments'
			AND o.type = CASE s.state WHEN 'dispatched' THEN 'ShipmentDispatchedEvent' ELSE 'ShipmentFailedEvent' END
			WHERE o.id IS NULL`); n != 0 {
		t.Errorf("%d facts are not what the row says", n)
	}
}

// A message that the inbox cannot judge begins nothing: no label is made.
func TestTooOldIsInvalid(t *testing.T) {
	t.Parallel()
	b, id := open(t), storetest.OrderID()
	if err := b.do("fulfil", id, storetest.Message(), carrier{}); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]time.Time{"old": time.Now().AddDate(0, 0, -30), "ahead": time.Now().Add(24 * time.Hour), "none": {}} {
		m := storetest.Message()
		m.Time = at
		for _, what := range []string{"print", "cancel"} {
			if err := b.do(what, id, m, carrier{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s, %s: got %v, want Invalid", name, what, err)
			}
		}
	}
	if s, err := b.View(t.Context(), id); err != nil || s.State != machine.Requested {
		t.Errorf("the shipment is %s, %v", s.State, err)
	}
}

// Without the database every error says that trying again can help.
func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	s := store.New(openURL(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable", 2), func() {})
	act := func(context.Context, shipping.Tx, shipping.Shipment) error { return nil }
	calls := map[string]func() error{
		"look":  func() error { return s.For(storetest.Message()).Look(t.Context(), storetest.OrderID(), act) },
		"once":  func() error { return s.For(storetest.Message()).Once(t.Context(), storetest.OrderID(), act) },
		"view":  func() error { _, err := s.View(t.Context(), storetest.OrderID()); return err },
		"again": func() error { _, err := s.PrintAgain(t.Context(), time.Now(), 1); return err },
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
