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

	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// Memory is a store in memory. The zero value is empty and ready; it is safe for
// concurrent use. Its transactions run one after the other.
type Memory struct {
	mu    sync.Mutex
	state state
}

// state is what a transaction works on, and throws away when it fails.
type state struct {
	products     map[string]inventory.Product
	published    map[string]time.Time
	reservations map[string]inventory.Reservation
	seen         map[string]bool
	movements    []inventory.Movement
	facts        []inventory.Announcement
	levels       []inventory.Product
}

func (s state) clone() *state {
	s.products, s.published = cloneMap(s.products), cloneMap(s.published)
	s.reservations, s.seen = cloneMap(s.reservations), cloneMap(s.seen)
	s.movements, s.facts, s.levels = slices.Clone(s.movements), slices.Clone(s.facts), slices.Clone(s.levels)
	return &s
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// Movements returns what moved, in order.
func (m *Memory) Movements() []inventory.Movement { return m.read().movements }

// Facts returns what was announced about orders, in order.
func (m *Memory) Facts() []inventory.Announcement { return m.read().facts }

// Levels returns the products whose levels were announced, in order.
func (m *Memory) Levels() []inventory.Product { return m.read().levels }

// Reservation returns what is held for an order.
func (m *Memory) Reservation(orderID string) inventory.Reservation {
	return m.read().reservations[orderID]
}

func (m *Memory) read() *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

// tx runs fn on a copy, which it keeps if fn succeeds.
func (m *Memory) tx(fn func(*state) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state.clone()
	err := fn(s)
	if err == nil {
		m.state = *s
	}
	return err
}

// Once returns the transaction of a message.
func (m *Memory) Once(msg message.Message) inventory.Transact {
	return func(ctx context.Context, orderID string, fn inventory.Act) error {
		return m.tx(func(s *state) error {
			if s.seen[msg.Source+" "+msg.ID] {
				return nil
			}
			s.seen[msg.Source+" "+msg.ID] = true
			r := s.reservations[orderID]
			r.OrderID = orderID
			return fn(ctx, s, r)
		})
	}
}

// Products implements inventory.Tx.
func (s *state) Products(_ context.Context, ids []string) (map[string]inventory.Product, error) {
	found := map[string]inventory.Product{}
	for _, id := range ids {
		if p, ok := s.products[id]; ok {
			found[id] = p
		}
	}
	return found, nil
}

// Save implements inventory.Tx.
func (s *state) Save(_ context.Context, c inventory.Change) error {
	s.reservations[c.Reservation.OrderID] = c.Reservation
	s.facts = append(s.facts, c.Announcement)
	for _, move := range c.Movements {
		p, ok := s.products[move.ProductID]
		if p = p.After(move); !ok || p.Reserved < 0 || p.OnHand < p.Reserved {
			return errors.New("the movement cannot be")
		}
		s.move(move)
		s.products[p.ID] = p
		if move.Stock() != 0 {
			s.announce(p)
		}
	}
	return nil
}

func (s *state) move(m inventory.Movement) {
	if m.OnHand != 0 || m.Reserved != 0 {
		s.movements = append(s.movements, m)
	}
}

func (s *state) announce(p inventory.Product) {
	s.levels = append(s.levels, p)
	s.published[p.ID] = time.Now()
}

// Product implements inventory.Catalogue.
func (m *Memory) Product(_ context.Context, id string) (inventory.Product, error) {
	p, ok := m.read().products[id]
	if !ok {
		return p, fault.New(fault.NotFound, "there is no such product")
	}
	return p, nil
}

// Products implements inventory.Catalogue.
func (m *Memory) Products(_ context.Context, after string, limit int) ([]inventory.Product, error) {
	var list []inventory.Product
	for id, p := range m.read().products {
		if id > after {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b inventory.Product) int { return cmp.Compare(a.ID, b.ID) })
	return list[:min(limit, len(list))], nil
}

// Put implements inventory.Catalogue.
func (m *Memory) Put(_ context.Context, p inventory.Product) (now inventory.Product, created bool, err error) {
	err = m.tx(func(s *state) error {
		was, ok := s.products[p.ID]
		if created = !ok; created {
			now = s.add(p, inventory.Adjust)
			return nil
		}
		if now, err = was.Set(p); err != nil {
			return err
		}
		s.products[p.ID] = now
		s.move(inventory.Movement{ProductID: p.ID, Kind: inventory.Adjust, OnHand: now.OnHand - was.OnHand})
		if now.Version != was.Version {
			s.announce(now)
		}
		return nil
	})
	return now, created, err
}

func (s *state) add(p inventory.Product, kind inventory.Kind) inventory.Product {
	p.Version = 1
	s.products[p.ID] = p
	s.move(inventory.Movement{ProductID: p.ID, Kind: kind, OnHand: p.OnHand})
	s.announce(p)
	return p
}

// Seed implements inventory.Seeded.
func (m *Memory) Seed(_ context.Context, products []inventory.Product) (added int, err error) {
	err = m.tx(func(s *state) error {
		for _, p := range products {
			if _, ok := s.products[p.ID]; !ok {
				s.add(p, inventory.Seed)
				added++
			}
		}
		return nil
	})
	return added, err
}

// Republish implements inventory.Levels.
func (m *Memory) Republish(_ context.Context, olderThan time.Time, share int) (count int, err error) {
	err = m.tx(func(s *state) error {
		ids := slices.SortedFunc(maps.Keys(s.products), func(a, b string) int { return s.published[a].Compare(s.published[b]) })
		for _, id := range ids[:min(len(ids), len(ids)/share+1)] {
			if s.published[id].Before(olderThan) {
				s.announce(s.products[id])
				count++
			}
		}
		return nil
	})
	return count, err
}
