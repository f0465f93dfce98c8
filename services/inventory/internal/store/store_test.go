package store_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"parley.sh/services/contract"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/store"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a store on a database of the test's own.
type bench struct {
	*store.Store
	t     testing.TB
	db    *postgres.DB
	woken atomic.Int64
}

func open(tb testing.TB) *bench {
	tb.Helper()
	b := &bench{t: tb, db: openURL(tb, servertest.Database(tb), 16)}
	if err := b.db.Migrator(store.Migrations()...).Run(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	b.Store = store.New(b.db, func() { b.woken.Add(1) })
	return b
}

func openURL(tb testing.TB, url string, conns int32) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(postgres.Config{
		URL: config.Secret(url), MaxConns: conns, ConnectTimeout: 30 * time.Second, AcquireTimeout: time.Minute,
		StatementTimeout: time.Minute, IdleInTransactionTimeout: time.Minute,
	}, postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	servertest.Database(t) // skips here rather than in every part
	storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return open(t) })
}

// seed fills the catalogue with n products of that count, and forgets that they
// were announced.
func (b *bench) seed(n int, onHand int64) {
	b.t.Helper()
	products := make([]inventory.Product, n)
	for i := range products {
		products[i] = storetest.Product(i, onHand)
	}
	if _, err := b.Seed(b.t.Context(), products); err != nil {
		b.t.Fatal(err)
	}
	b.published()
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
func (b *bench) query(sql string, args ...any) (n int64) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), sql, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// conserved checks that the counts of every product are the sums of its movements,
// and that none is negative.
func (b *bench) conserved() {
	b.t.Helper()
	if n := b.query(`SELECT count(*) FROM product p LEFT JOIN (
			SELECT product_id, sum(on_hand) AS on_hand, sum(reserved) AS reserved FROM movement GROUP BY product_id
		) m ON m.product_id = p.id
		WHERE p.on_hand <> coalesce(m.on_hand, 0) OR p.reserved <> coalesce(m.reserved, 0)
			OR p.reserved < 0 OR p.on_hand < p.reserved`); n != 0 {
		b.t.Errorf("%d products are not the sums of their movements", n)
	}
}

func placed(id string, items ...inventory.Item) inventory.Placed {
	return inventory.Placed{OrderID: id, Version: 1, Items: items}
}

func item(n int, quantity int64) inventory.Item {
	return inventory.Item{ProductID: storetest.Product(n, 0).ID, Quantity: quantity}
}

// A journey's movements, facts and levels are in the database and in the outbox,
// each fact with its levels in one transaction, the levels first.
func TestJourneyIsRecordedAndAnnounced(t *testing.T) {
	t.Parallel()
	b, id := open(t), storetest.OrderID()
	b.seed(3, 10)
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"place", func() error {
			return inventory.Place(t.Context(), b.Once(storetest.Message()), placed(id, item(2, 4), item(1, 3)))
		}, []string{
			"StockLevelChangedEvent p-02 v2 6", "StockLevelChangedEvent p-01 v2 7", "StockReservedEvent p-02:4 p-01:3",
		}},
		{"place again", func() error { return inventory.Place(t.Context(), b.Once(storetest.Message()), placed(id, item(0, 1))) }, nil},
		{"fulfil", func() error {
			return inventory.Fulfil(t.Context(), b.Once(storetest.Message()), inventory.Command{OrderID: id, OrderVersion: 2})
		}, []string{
			"StockPickedEvent p-02:4 p-01:3",
		}},
		{"undo", func() error {
			return inventory.Undo(t.Context(), b.Once(storetest.Message()), inventory.Command{OrderID: id, OrderVersion: 3})
		}, []string{
			"StockLevelChangedEvent p-02 v3 10", "StockLevelChangedEvent p-01 v3 10", "StockReturnedEvent p-02:4 p-01:3",
		}},
		{"undo again", func() error {
			return inventory.Undo(t.Context(), b.Once(storetest.Message()), inventory.Command{OrderID: id, OrderVersion: 3})
		}, nil},
	}
	for _, step := range steps {
		woken := b.woken.Load()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var got []string
		for _, m := range b.published() {
			got = append(got, describe(t, m))
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if woke := b.woken.Load() > woken; woke != (len(step.want) > 0) {
			t.Errorf("%s: the relay was woken = %v", step.name, woke)
		}
		b.conserved()
	}
	if n := b.query(`SELECT count(*) FROM movement WHERE order_id = $1`, id); n != 6 {
		t.Errorf("%d movements of the order, want 6", n)
	}
}

// describe decodes a message by its contract and says what is in it.
func describe(t *testing.T, m message.Message) string {
	t.Helper()
	if m.To.Broker != message.Kafka || m.Source != contract.Inventory || m.Key != m.Subject || m.ID == "" {
		t.Errorf("%s is addressed %+v", m.Type, m)
	}
	if m.Type == "StockLevelChangedEvent" {
		l, err := contract.Decode[contract.StockLevelChangedEvent](m)
		if err != nil || m.To.Name != contract.TopicStock {
			t.Errorf("%s to %s: %v", m.Type, m.To.Name, err)
		}
		return fmt.Sprintf("%s %s v%d %d", m.Type, l.ProductID, l.Version, l.Stock)
	}
	decode := map[string]func(message.Message) error{
		"StockReservedEvent": decodes[contract.StockReservedEvent], "StockRejectedEvent": decodes[contract.StockRejectedEvent],
		"StockPickedEvent": decodes[contract.StockPickedEvent], "StockReleasedEvent": decodes[contract.StockReleasedEvent],
		"StockReturnedEvent": decodes[contract.StockReturnedEvent],
	}[m.Type]
	if err := decode(m); err != nil || m.To.Name != contract.TopicInventory {
		t.Errorf("%s to %s: %v", m.Type, m.To.Name, err)
	}
	var e struct {
		Items     []contract.Item
		Shortages []contract.Shortage
	}
	if err := json.Unmarshal(m.Data, &e); err != nil {
		t.Fatal(err)
	}
	text := m.Type
	for _, i := range e.Items {
		text += fmt.Sprintf(" %s:%d", i.ProductID, i.Quantity)
	}
	for _, s := range e.Shortages {
		text += fmt.Sprintf(" %s:%d/%d", s.ProductID, s.Available, s.Requested)
	}
	return text
}

func decodes[P contract.Payload](m message.Message) error {
	_, err := contract.Decode[P](m)
	return err
}

func TestRejectionMovesNothing(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.seed(3, 2)
	err := inventory.Place(t.Context(), b.Once(storetest.Message()),
		placed(storetest.OrderID(), item(0, 1), item(1, 3), inventory.Item{ProductID: "unknown", Quantity: 1}))
	if err != nil {
		t.Fatal(err)
	}
	messages := b.published()
	if len(messages) != 1 || describe(t, messages[0]) != "StockRejectedEvent p-01:2/3 unknown:0/1" {
		t.Errorf("published %v", messages)
	}
	if n := b.query(`SELECT count(*) FROM movement WHERE order_id IS NOT NULL`); n != 0 {
		t.Errorf("%d movements", n)
	}
	b.conserved()
}

// A message that the inbox cannot judge has no effect at all.
func TestTooOldIsInvalid(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.seed(1, 4)
	for name, at := range map[string]time.Time{"old": time.Now().AddDate(0, 0, -30), "ahead": time.Now().Add(24 * time.Hour), "none": {}} {
		m := storetest.Message()
		m.Time = at
		err := inventory.Place(t.Context(), b.Once(m), placed(storetest.OrderID(), item(0, 1)))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
	if n := b.query(`SELECT count(*) FROM reservation`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// Without the database every error says that trying again can help.
func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	db := openURL(t, "postgres://nobody@127.0.0.1:1/none?sslmode=disable", 2)
	s, ctx := store.New(db, func() {}), t.Context()
	calls := map[string]func() error{
		"place": func() error {
			return inventory.Place(ctx, s.Once(storetest.Message()), placed(storetest.OrderID(), item(0, 1)))
		},
		"product":   func() error { _, err := s.Product(ctx, "1"); return err },
		"products":  func() error { _, err := s.Products(ctx, "", 1); return err },
		"put":       func() error { _, _, err := s.Put(ctx, storetest.Product(1, 1)); return err },
		"seed":      func() error { _, err := s.Seed(ctx, []inventory.Product{storetest.Product(1, 1)}); return err },
		"republish": func() error { _, err := s.Republish(ctx, time.Now(), 1); return err },
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
