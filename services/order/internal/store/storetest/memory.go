// Package storetest holds the store that tests use where no database is needed,
// and one suite that it and the real store both pass.
package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
)

// Memory is a store in memory. The zero value is empty and ready; it is safe for
// concurrent use.
type Memory struct {
	mu        sync.Mutex
	orders    map[string]order.Order
	keys      map[[2]string]order.Key
	seen      map[order.Receipt]bool
	placings  []order.Placement
	announced []order.Change
	levels    map[string]order.StockLevel
	caughtUp  map[int32]time.Time
}

// Announced returns the changes that were written, in order.
func (m *Memory) Announced() []order.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.announced)
}

// Create implements order.Store.
func (m *Memory) Create(_ context.Context, c order.Change, k order.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := [2]string{k.CustomerID, k.Key}
	if _, taken := m.keys[id]; taken {
		return order.ErrKeyTaken
	}
	put(&m.keys, id, k)
	m.write(c)
	return nil
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (m *Memory) write(c order.Change) {
	put(&m.orders, c.Order.ID, c.Order)
	for _, e := range c.Entries {
		position := order.Position("1-" + strconv.Itoa(len(m.placings)+1))
		m.placings = append(m.placings, order.Placement{Entry: e, Position: position})
	}
	m.announced = append(m.announced, c)
}

// Key implements order.Store.
func (m *Memory) Key(_ context.Context, customerID, key string) (order.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[[2]string{customerID, key}]
	if !ok {
		return order.Key{}, fault.New(fault.NotFound, "no such key")
	}
	return k, nil
}

// Order implements order.Store.
func (m *Memory) Order(_ context.Context, id string) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.order(id)
}

func (m *Memory) order(id string) (order.Order, error) {
	o, ok := m.orders[id]
	if !ok {
		return order.Order{}, fault.New(fault.NotFound, "there is no such order")
	}
	return o, nil
}

// Update implements order.Store.
func (m *Memory) Update(_ context.Context, id string, r *order.Receipt, decide order.Decide) (order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, err := m.order(id)
	if err != nil || (r != nil && m.seen[*r]) {
		return o, err
	}
	c, err := decide(o)
	if err != nil {
		return order.Order{}, err
	}
	if r != nil {
		put(&m.seen, *r, true)
	}
	if len(c.Entries) == 0 && len(c.Work) == 0 && c.Order.Progress == o.Progress {
		return o, nil
	}
	m.write(c)
	return c.Order, nil
}

func clock(o order.Order, c order.Clock) time.Time {
	if c == order.ClockAsk {
		return o.AskAt
	}
	return o.DeadlineAt
}

func due(o order.Order, c order.Clock, now time.Time) bool {
	at := clock(o, c)
	return !at.IsZero() && !at.After(now)
}

// Due implements order.Agenda.
func (m *Memory) Due(_ context.Context, c order.Clock, now time.Time, limit int) ([]order.Due, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []order.Order
	for o := range maps.Values(m.orders) {
		if due(o, c, now) {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b order.Order) int { return clock(a, c).Compare(clock(b, c)) })
	list := make([]order.Due, 0, limit)
	for _, o := range found[:min(limit, len(found))] {
		list = append(list, order.Due{ID: o.ID, Trace: o.Trace})
	}
	return list, nil
}

// UpdateDue implements order.Agenda.
func (m *Memory) UpdateDue(
	_ context.Context, id string, c order.Clock, now time.Time, decide order.Decide,
) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[id]
	if !ok || !due(o, c, now) {
		return false, nil
	}
	change, err := decide(o)
	if err != nil {
		return false, err
	}
	m.write(change)
	return true, nil
}

// Orders implements order.Reader.
func (m *Memory) Orders(_ context.Context, f order.Filter) ([]order.Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []order.Order
	for o := range maps.Values(m.orders) {
		if (f.CustomerID == "" || o.CustomerID == f.CustomerID) && (f.State == "" || o.Progress.State == f.State) &&
			(f.Before == "" || o.ID < f.Before) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b order.Order) int { return cmp.Compare(b.ID, a.ID) })
	return list[:min(f.Limit, len(list))], nil
}

// Timeline implements order.Reader.
func (m *Memory) Timeline(_ context.Context, id string, after int) ([]order.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []order.Entry
	for _, p := range m.placings {
		if p.OrderID == id && p.Version > after {
			list = append(list, p.Entry)
		}
	}
	return list, nil
}

// Changes implements order.Reader.
func (m *Memory) Changes(_ context.Context, after order.Position, limit int) ([]order.Placement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, seq, ok := strings.Cut(string(after), "-")
	n, err := strconv.Atoi(seq)
	if !ok || err != nil {
		return nil, fault.New(fault.Invalid, "the position is not valid")
	}
	n = min(n, len(m.placings))
	return slices.Clone(m.placings[n:min(n+limit, len(m.placings))]), nil
}

// Now implements order.Reader.
func (m *Memory) Now(context.Context) (order.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return order.Position(fmt.Sprintf("1-%d", len(m.placings))), nil
}

// SaveLevels keeps each level unless a newer one is known.
func (m *Memory) SaveLevels(_ context.Context, levels []order.StockLevel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range levels {
		if known, ok := m.levels[l.ProductID]; !ok || known.Version < l.Version {
			put(&m.levels, l.ProductID, l)
		}
	}
	return nil
}

// SaveCaughtUp notes that a partition was complete at a time.
func (m *Memory) SaveCaughtUp(_ context.Context, partition int32, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.caughtUp[partition]) {
		put(&m.caughtUp, partition, at)
	}
	return nil
}

// Levels implements order.Model.
func (m *Memory) Levels(_ context.Context, products []string, freshSince time.Time) (map[string]order.Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	levels := map[string]order.Level{}
	for _, id := range products {
		if l, ok := m.levels[id]; ok {
			at, known := m.caughtUp[l.Partition]
			levels[id] = order.Level{Stock: l.Stock, Price: l.Price, Fresh: known && !at.Before(freshSince)}
		}
	}
	return levels, nil
}

// PurgeKeys forgets the keys from before a time.
func (m *Memory) PurgeKeys(_ context.Context, before time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var n int64
	maps.DeleteFunc(m.keys, func(_ [2]string, k order.Key) bool {
		if k.At.Before(before) {
			n++
			return true
		}
		return false
	})
	return n, nil
}

// Unsettled counts the orders that are not settled.
func (m *Memory) Unsettled(context.Context) (map[string]int, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts, oldest := map[string]int{}, time.Time{}
	for o := range maps.Values(m.orders) {
		if o.Progress.Settled {
			continue
		}
		counts[string(o.Progress.State)]++
		if oldest.IsZero() || o.PlacedAt.Before(oldest) {
			oldest = o.PlacedAt
		}
	}
	return counts, oldest, nil
}
