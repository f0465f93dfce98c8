// Package storetest holds the store that tests use where no database is needed,
// and one suite that it and the real store both pass.
package storetest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

// Memory is a store in memory. The zero value is empty and ready; it is safe for
// concurrent use. Its transactions run one after the other.
type Memory struct {
	mu    sync.Mutex
	state state
}

// Said is what a change sent: PrintLabel, or a fact.
type Said struct {
	Shipment shipping.Shipment
	Print    bool
	Fact     machine.Fact
}

// state is what a transaction works on, and throws away when it fails.
type state struct {
	shipments map[string]shipping.Shipment
	asked     map[string]time.Time
	seen      map[string]bool
	said      []Said
}

func (s state) clone() *state {
	s.shipments, s.asked, s.seen = cloneMap(s.shipments), cloneMap(s.asked), cloneMap(s.seen)
	s.said = slices.Clone(s.said)
	return &s
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// Shipment returns the row of an order.
func (m *Memory) Shipment(orderID string) shipping.Shipment { return m.read().shipments[orderID] }

// Said returns what was sent, in order.
func (m *Memory) Said() []Said { return m.read().said }

// Ended reports whether a message has taken effect.
func (m *Memory) Ended(msg message.Message) bool { return m.read().seen[identity(msg)] }

func (m *Memory) read() *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

// For returns the transactions of a message.
func (m *Memory) For(msg message.Message) shipping.Transactions {
	return transactions{store: m, id: identity(msg)}
}

func identity(m message.Message) string { return m.Source + " " + m.ID }

// transactions are those of one message.
type transactions struct {
	store *Memory
	id    string
}

// Look implements shipping.Transactions.
func (t transactions) Look(ctx context.Context, orderID string, fn shipping.Act) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	s := t.store.state.clone()
	row := s.shipments[orderID]
	row.OrderID = orderID
	if err := fn(ctx, &tx{s, t.id}, row); err != nil {
		return err
	}
	t.store.state = *s
	return nil
}

var errRepeated = errors.New("repeated")

// Once implements shipping.Transactions.
func (t transactions) Once(ctx context.Context, orderID string, fn shipping.Act) error {
	err := t.Look(ctx, orderID, func(ctx context.Context, shared shipping.Tx, s shipping.Shipment) error {
		own, ok := shared.(*tx)
		if !ok || own.seen[t.id] {
			return errRepeated
		}
		own.seen[t.id] = true
		return fn(ctx, shared, s)
	})
	if errors.Is(err, errRepeated) {
		return nil
	}
	return err
}

// tx is one open transaction.
type tx struct {
	*state
	message string
}

// Done implements shipping.Tx.
func (t *tx) Done(context.Context) error {
	t.seen[t.message] = true
	return nil
}

// Save implements shipping.Tx.
func (t *tx) Save(_ context.Context, c shipping.Change) error {
	t.shipments[c.Shipment.OrderID] = c.Shipment
	if c.Print {
		t.asked[c.Shipment.OrderID] = time.Now()
		t.said = append(t.said, Said{Shipment: c.Shipment, Print: true})
	}
	if c.Fact != machine.Silence {
		t.said = append(t.said, Said{Shipment: c.Shipment, Fact: c.Fact})
	}
	return nil
}

// PrintAgain implements shipping.Labels.
func (m *Memory) PrintAgain(_ context.Context, before time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var late []shipping.Shipment
	for id, s := range m.state.shipments {
		if machine.PrintAgain(s.State) && m.state.asked[id].Before(before) {
			late = append(late, s)
		}
	}
	slices.SortFunc(late, func(a, b shipping.Shipment) int {
		return cmp.Or(m.state.asked[a.OrderID].Compare(m.state.asked[b.OrderID]), cmp.Compare(a.OrderID, b.OrderID))
	})
	late = late[:min(limit, len(late))]
	for _, s := range late {
		m.state.asked[s.OrderID] = time.Now()
		m.state.said = append(m.state.said, Said{Shipment: s, Print: true})
	}
	return len(late), nil
}

// View returns the shipment of an order, or NotFound.
func (m *Memory) View(_ context.Context, orderID string) (shipping.Shipment, error) {
	s, ok := m.read().shipments[orderID]
	if !ok {
		return s, fault.New(fault.NotFound, "there is no shipment of this order")
	}
	return s, nil
}
