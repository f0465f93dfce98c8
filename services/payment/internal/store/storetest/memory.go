// Package storetest holds the store that tests use where no database is needed,
// and one suite that it and the real store both pass.
package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

// Memory is a store in memory. The zero value is empty and ready; it is safe for
// concurrent use. Its transactions run one after the other.
type Memory struct {
	mu    sync.Mutex
	state state
}

// key names an intent, or its entry in the ledger.
type key struct {
	orderID string
	kind    machine.Intent
}

// state is what a transaction works on, and throws away when it fails.
type state struct {
	payments map[string]payment.Payment
	intents  map[key]payment.Intent
	entries  []payment.Entry
	facts    []payment.Announcement
	seen     map[string]bool
}

func (s state) clone() *state {
	s.payments, s.intents, s.seen = cloneMap(s.payments), cloneMap(s.intents), cloneMap(s.seen)
	s.entries, s.facts = slices.Clone(s.entries), slices.Clone(s.facts)
	return &s
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// Payment returns the row of an order.
func (m *Memory) Payment(orderID string) payment.Payment { return m.read().payments[orderID] }

// Entries returns the ledger, in order.
func (m *Memory) Entries() []payment.Entry { return m.read().entries }

// Facts returns what was announced, in order.
func (m *Memory) Facts() []payment.Announcement { return m.read().facts }

// Ended reports whether a message has taken effect.
func (m *Memory) Ended(msg message.Message) bool { return m.read().seen[identity(msg)] }

func (m *Memory) read() *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

// For returns the transactions of a message.
func (m *Memory) For(msg message.Message) payment.Transactions {
	return transactions{store: m, id: identity(msg)}
}

func identity(m message.Message) string { return m.Source + " " + m.ID }

// transactions are those of one message.
type transactions struct {
	store *Memory
	id    string
}

// Look implements payment.Transactions.
func (t transactions) Look(ctx context.Context, orderID string, fn payment.Act) error {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	s := t.store.state.clone()
	p := s.payments[orderID]
	p.OrderID = orderID
	if err := fn(ctx, &tx{s, t.id}, p); err != nil {
		return err
	}
	t.store.state = *s
	return nil
}

var errRepeated = errors.New("repeated")

// Once implements payment.Transactions.
func (t transactions) Once(ctx context.Context, orderID string, fn payment.Act) error {
	err := t.Look(ctx, orderID, func(ctx context.Context, tx payment.Tx, p payment.Payment) error {
		if fresh, err := tx.Done(ctx); err != nil || !fresh {
			return errors.Join(err, errRepeated)
		}
		return fn(ctx, tx, p)
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

// Done implements payment.Tx.
func (t *tx) Done(context.Context) (bool, error) {
	fresh := !t.seen[t.message]
	t.seen[t.message] = true
	return fresh, nil
}

// Open implements payment.Tx.
func (t *tx) Open(_ context.Context, p payment.Payment, i payment.Intent) error {
	k := key{i.OrderID, i.Kind}
	if _, ok := t.intents[k]; ok {
		return errors.New("the intent was opened before")
	}
	t.payments[p.OrderID], t.intents[k] = p, i
	return nil
}

// Intent implements payment.Tx.
func (t *tx) Intent(_ context.Context, p payment.Payment) (payment.Intent, error) {
	i, ok := t.intents[key{p.OrderID, p.State.Open()}]
	if !ok {
		return i, errors.New("the open intent is not there")
	}
	return p.Opened(i.OrderVersion), nil
}

// Save implements payment.Tx.
func (t *tx) Save(_ context.Context, c payment.Change) error {
	if c.Entry != nil {
		if slices.ContainsFunc(t.entries, func(e payment.Entry) bool { return e.OrderID == c.Entry.OrderID && e.Kind == c.Entry.Kind }) {
			return errors.New("the movement was recorded before")
		}
		t.entries = append(t.entries, *c.Entry)
	}
	t.payments[c.Payment.OrderID] = c.Payment
	t.facts = append(t.facts, c.Announcement)
	return nil
}

// View returns the payment of an order with its ledger, or NotFound.
func (m *Memory) View(_ context.Context, orderID string) (payment.View, error) {
	s := m.read()
	p, ok := s.payments[orderID]
	if !ok {
		return payment.View{}, fault.New(fault.NotFound, "there is no payment of this order")
	}
	v := payment.View{Payment: p}
	for _, e := range s.entries {
		if e.OrderID == orderID {
			lines := e.Lines()
			v.Lines = append(v.Lines, lines[:]...)
		}
	}
	return v, nil
}
