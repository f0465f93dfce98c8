package outbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley.sh/services/kit/message"
)

// world is everything around a book: the table, the brokers and the clock. Its
// transactions commit late, its brokers fail in every way, and shards come and go.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	book  *book
	table map[int64]row
	// written are the ids of each unit in the order of their commits.
	written map[int64][]int64
	// sent are the ids of each unit in the order of their first confirmation.
	sent    map[int64][]int64
	refused map[int64]bool
	open    []row // written, not committed
	reading *request
	snap    haul
	flying  []*flight
	lastID  int64
	calm    bool // nothing fails and nothing new comes
}

// poison divides the ids of the rows that are refused for ever.
const poison = 40

// TestBookModel drives a book at random, and then until nothing is left.
func TestBookModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range 3000 {
				w.step()
			}
			w.calm = true
			for range 20_000 {
				w.step()
			}
			w.check()
		})
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	cfg := testConfig()
	cfg.RetryMax = 5 * time.Second
	b := holding(cfg)
	b.sweep = 10
	return &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(0, 0), book: b,
		table: map[int64]row{}, written: map[int64][]int64{}, sent: map[int64][]int64{}, refused: map[int64]bool{},
	}
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(int(50 * time.Millisecond))))
	steps := []func(){w.read, w.readEnds, w.take, w.land, w.land, w.clear, w.commit, w.shard}
	if !w.calm {
		steps = append(steps, w.write, w.write)
	}
	steps[w.rng.IntN(len(steps))]()
}

// write begins a transaction with rows of one key, unless one of that key is open:
// its row lock orders them.
func (w *world) write() {
	key := fmt.Sprint("k", w.rng.IntN(30))
	if slices.ContainsFunc(w.open, func(r row) bool { return r.message.Key == key }) {
		return
	}
	for range 1 + w.rng.IntN(3) {
		w.lastID++
		to := []message.Address{topic, exchange}[w.rng.IntN(2)]
		w.open = append(w.open, testRow(w.lastID, to, key))
	}
}

// commit commits one key's open transaction, in any order.
func (w *world) commit() {
	if len(w.open) == 0 {
		return
	}
	key := w.open[w.rng.IntN(len(w.open))].message.Key
	w.open = slices.DeleteFunc(w.open, func(r row) bool {
		if r.message.Key != key {
			return false
		}
		w.table[r.id] = r
		w.written[r.unit] = append(w.written[r.unit], r.id)
		return true
	})
}

// read does what the statement does, on a snapshot that is used later.
func (w *world) read() {
	if w.reading != nil {
		return
	}
	q := w.book.begin(w.now)
	h := haul{cut: map[destination]bool{}}
	found := map[destination]*[Shards]int{}
	for id := int64(1); id <= w.lastID; id++ {
		r, there := w.table[id]
		if !there || !q.covers(int(r.shard)) || slices.Contains(q.full, r.to()) ||
			slices.Contains(q.known, id) || slices.Contains(q.parked, r.unit) {
			continue
		}
		if found[r.to()] == nil {
			found[r.to()] = &[Shards]int{}
		}
		found[r.to()][r.shard]++
		if q.sweep || found[r.to()][r.shard] <= q.limit {
			h.rows = append(h.rows, r)
		}
	}
	if q.sweep && len(h.rows) > q.limit {
		w.rng.Shuffle(len(h.rows), func(i, j int) { h.rows[i], h.rows[j] = h.rows[j], h.rows[i] })
		h.rows = h.rows[:q.limit]
	}
	w.reading, w.snap = &q, h
}

func (w *world) readEnds() {
	if w.reading != nil {
		w.book.admit(*w.reading, w.snap)
		w.reading = nil
	}
}

func (w *world) take() {
	w.flying = append(w.flying, w.book.take(w.now)...)
	out := map[int64]bool{}
	for _, f := range w.flying {
		for _, u := range f.units {
			if out[u.hash] {
				w.t.Fatalf("two unconfirmed rows of unit %d", u.hash)
			}
			out[u.hash] = true
		}
	}
}

// land ends one flight in one of the ways in which flights end.
func (w *world) land() {
	if len(w.flying) == 0 {
		return
	}
	i := w.rng.IntN(len(w.flying))
	f := w.flying[i]
	w.flying = slices.Delete(w.flying, i, i+1)
	results := w.results(f)
	ids := make([]int64, len(f.units))
	for i, u := range f.units {
		ids[i] = u.rows[0].id
	}
	v := w.book.settle(f, results, w.now)
	for i, u := range f.units {
		if results[i] == nil {
			w.confirm(u.hash, ids[i])
		}
	}
	for _, r := range v.refused {
		if r.id%poison != 0 {
			w.t.Errorf("row %d was refused for the sake of another", r.id)
		}
		w.refused[r.id] = true
		w.book.forget(r.to, r.place)
		delete(w.table, r.id)
	}
}

func (w *world) results(f *flight) []error {
	n := len(f.units)
	results := same(n, nil)
	for i, u := range f.units {
		if u.rows[0].id%poison == 0 {
			if w.rng.IntN(2) == 0 {
				return same(n, errInvalid) // and all that is sent with it
			}
			results[i] = errInvalid
		}
	}
	if w.calm {
		return results
	}
	switch w.rng.IntN(6) {
	case 0:
		return same(n, errDown)
	case 1, 2:
		results[w.rng.IntN(n)] = errNack
	}
	return results
}

// confirm notes a first confirmation; a row may be confirmed again.
func (w *world) confirm(unit, id int64) {
	if !slices.Contains(w.sent[unit], id) {
		w.sent[unit] = append(w.sent[unit], id)
	}
}

// clear deletes what was confirmed.
func (w *world) clear() {
	for to, l := range w.book.lanes {
		w.book.forget(to, l.done...)
		for _, p := range l.done {
			delete(w.table, p.id)
		}
		l.done = nil
	}
}

// shard gives a shard away, or takes one that the book is done with.
func (w *world) shard() {
	s := w.rng.IntN(Shards)
	switch {
	case w.book.held[s] && !w.calm && w.rng.IntN(3) == 0:
		w.book.release(s)
	case !w.book.held[s] && w.book.rows[s] == 0 && (w.reading == nil || !w.reading.covers(s)):
		w.book.acquire(s)
	}
}

// check compares what was sent with what was written.
func (w *world) check() {
	if len(w.table) > 0 || len(w.open) > 0 {
		w.t.Errorf("%d rows were never sent", len(w.table)+len(w.open))
	}
	for unit, written := range w.written {
		want := slices.DeleteFunc(written, func(id int64) bool { return w.refused[id] })
		if !slices.Equal(want, w.sent[unit]) {
			w.t.Errorf("unit %d was written as %v and sent as %v", unit, want, w.sent[unit])
		}
	}
	for _, l := range w.book.lanes {
		if len(l.known) > 0 || l.bytes != 0 || len(l.units) > 0 || len(l.parked) > 0 {
			w.t.Errorf("left in memory: %d rows, %d bytes, %d units, %d parked",
				len(l.known), l.bytes, len(l.units), len(l.parked))
		}
	}
	if w.book.rows != [Shards]int{} {
		w.t.Errorf("rows by shard: %v", w.book.rows)
	}
}
