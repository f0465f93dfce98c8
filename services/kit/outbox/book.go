package outbox

import (
	"time"

	"parley.sh/services/kit/fault"
)

// maxParked bounds the units of one destination that wait apart for their next
// try. At the bound no row of the destination is read until some are due.
const maxParked = 100_000

// book is what the relay knows of the rows that it has read: it decides what is
// read, what may be sent, and what becomes of it. It does nothing by itself, knows
// no time but what it is told, and is not safe for concurrent use.
type book struct {
	cfg   Config
	lanes map[destination]*lane
	held  [Shards]bool
	// rows counts the rows in memory of each shard.
	rows  [Shards]int
	reads uint64
	// sweep is the limit of a sweep; deep says that there is, or may be, more in the
	// table.
	sweep int
	deep  bool
}

const (
	// sweepLimit is how many rows a sweep brings at most, and sweepAround how many in
	// memory it may have to step over.
	sweepLimit  = 500
	sweepAround = 2000
)

func newBook(cfg Config) *book {
	return &book{cfg: cfg, lanes: map[destination]*lane{}, sweep: sweepLimit, deep: true}
}

// request says what to read: up to limit rows of each destination in each shard,
// but none of known and of parked, and nothing of the destinations in full.
//
// A sweep reads up to limit rows in all, in any order. It costs a fraction, which is
// all that there is to read in a table that is relayed as it is written, and is
// worth nothing if it brings as many as the limit: it may leave out earlier rows.
type request struct {
	seq    uint64
	sweep  bool
	shards []int16
	limit  int
	known  []int64
	parked []int64
	full   []destination
}

// begin returns the next read. Without shards it reads nothing.
func (b *book) begin(now time.Time) request {
	b.reads++
	// Empty and not nil: NULL is not an empty array.
	q := request{seq: b.reads, known: []int64{}, parked: []int64{}}
	for s, held := range b.held {
		if held {
			q.shards = append(q.shards, int16(s)) //nolint:gosec // below Shards
		}
	}
	if len(q.shards) == 0 {
		return q
	}
	for to, l := range b.lanes {
		parked := l.waiting(now)
		l.crowd = len(parked)
		if l.full() {
			l.more = true
			q.full = append(q.full, to)
			continue
		}
		l.more = false
		q.parked = append(q.parked, parked...)
		for id := range l.known {
			q.known = append(q.known, id)
		}
	}
	q.sweep = !b.deep && len(q.full) == 0 && len(q.known)+len(q.parked) <= sweepAround
	q.limit = max(1, b.cfg.Buffer/2/len(q.shards))
	if q.sweep {
		q.limit = b.sweep
	}
	return q
}

// full reports whether the next read leaves the lane out.
func (l *lane) full() bool {
	return len(l.known) > l.cfg.Buffer/2 || l.bytes >= l.cfg.BufferBytes || l.crowd >= maxParked
}

// admit takes in what a read brought. Of a lane that is full it leaves the rest of
// the rows: a later read brings them again.
func (b *book) admit(q request, h haul) {
	if q.sweep && (len(h.rows) >= q.limit || len(h.cut) > 0) {
		b.deep = true
		return
	}
	found := map[*lane]*[Shards]int{}
	for _, r := range h.rows {
		l := b.lane(r.to())
		if found[l] == nil {
			found[l] = &[Shards]int{}
		}
		if found[l][r.shard]++; found[l][r.shard] >= q.limit {
			l.more = true
		}
	}
	for to := range h.cut {
		b.lane(to).more = true
	}
	b.enterAll(q, h.rows)
	b.deep = false
	for _, l := range b.lanes {
		b.deep = b.deep || l.more
	}
}

func (b *book) enterAll(q request, rows []row) {
	over := map[*lane]bool{}
	for _, r := range rows {
		l := b.lane(r.to())
		switch {
		case over[l] || !b.held[r.shard]:
		case l.bytes >= b.cfg.BufferBytes:
			over[l], l.more = true, true
		default:
			b.enter(l, r, q.seq)
		}
	}
}

func (b *book) lane(to destination) *lane {
	l := b.lanes[to]
	if l == nil {
		l = newLane(to, b.cfg)
		b.lanes[to] = l
	}
	return l
}

func (b *book) enter(l *lane, r row, seq uint64) {
	if _, there := l.known[r.id]; there {
		return
	}
	u := l.units[r.unit]
	if u == nil {
		u = &unit{hash: r.unit, shard: r.shard}
		l.units[r.unit] = u
	}
	if seq < u.since {
		return
	}
	delete(l.parked, u.hash)
	u.rows = append(u.rows, r)
	l.known[r.id] = struct{}{}
	l.bytes += r.bytes()
	b.rows[r.shard]++
	l.ready(u)
}

// take returns the batches that may be sent now.
func (b *book) take(now time.Time) []*flight {
	var flights []*flight
	for _, l := range b.lanes {
		for f := l.take(now); f != nil; f = l.take(now) {
			flights = append(flights, f)
		}
	}
	return flights
}

// verdict is what became of a batch.
type verdict struct {
	confirmed int
	refused   []refusal
	// failed counts the others by kind; first is the error of the first of them.
	failed map[fault.Kind]int
	first  error
	// whole says that the destination is to blame, not the rows.
	whole bool
}

// settle takes the results of a flight, one per unit.
//
// An Invalid row counts as refused only when it was alone: a broker may refuse a
// batch for the sake of one row, and a client may blame all. Until then the batch
// is halved and sent again at once.
func (b *book) settle(f *flight, results []error, now time.Time) verdict {
	v := verdict{failed: map[fault.Kind]int{}}
	v.whole = f.lane.land(f, results, now)
	failed := 0
	for _, err := range results {
		if err != nil {
			failed++
		}
	}
	for i, u := range f.units {
		u.flying = false
		switch err := results[i]; {
		case err == nil:
			v.confirmed++
			b.finish(f.lane, u)
		case fault.Is(err, fault.Invalid) && len(f.units) == 1:
			v.refused = append(v.refused, b.refuse(f.lane, u, err))
		default:
			v.note(err)
			u.suspect(failed)
			b.again(f.lane, u, err, v.whole, now)
		}
	}
	return v
}

// failures counts the rows that are tried again.
func (v *verdict) failures() int {
	n := 0
	for _, k := range v.failed {
		n += k
	}
	return n
}

func (v *verdict) note(err error) {
	v.failed[fault.KindOf(err)]++
	if v.first == nil {
		v.first = err
	}
}

// finish ends the first row of u, which is to be deleted, and goes on with the next.
func (b *book) finish(l *lane, u *unit) {
	r := b.pop(l, u)
	l.done = append(l.done, place{r.id, r.shard})
}

func (b *book) refuse(l *lane, u *unit, reason error) refusal {
	r := b.pop(l, u)
	r.message.Data = nil
	return refusal{place: place{r.id, r.shard}, to: l.to, reason: reason, message: r.message}
}

func (b *book) pop(l *lane, u *unit) row {
	r := u.pop()
	l.bytes -= r.bytes()
	l.ready(u)
	l.settled(u)
	return r
}

// again decides about the rows of a unit that was not confirmed.
func (b *book) again(l *lane, u *unit, err error, whole bool, now time.Time) {
	switch {
	case u.gone:
		b.drop(l, u, 0)
	case fault.Is(err, fault.Invalid):
		l.ready(u)
	default:
		b.drop(l, u, 0)
		u.since = b.reads + 1
		l.park(u, now, whole)
	}
}

// drop forgets the rows of u from index keep on.
func (b *book) drop(l *lane, u *unit, keep int) {
	for _, r := range u.rows[keep:] {
		delete(l.known, r.id)
		l.bytes -= r.bytes()
		b.rows[r.shard]--
	}
	clear(u.rows[keep:])
	u.rows = u.rows[:keep]
}

// forget ends the life of rows that are deleted, or set aside.
func (b *book) forget(to destination, places ...place) {
	l := b.lanes[to]
	for _, p := range places {
		delete(l.known, p.id)
		b.rows[p.shard]--
	}
}

// acquire begins to work on a shard. No read that began while it was held before may
// still be under way.
func (b *book) acquire(shard int) { b.held[shard] = true }

// release stops the work on a shard but for what is in flight and what waits to be
// deleted: rows[shard] counts it.
func (b *book) release(shard int) {
	b.held[shard] = false
	for _, l := range b.lanes {
		for _, u := range l.units {
			if int(u.shard) != shard {
				continue
			}
			u.gone = true
			delete(l.units, u.hash)
			delete(l.parked, u.hash)
			keep := 0
			if u.flying {
				keep = 1
			}
			b.drop(l, u, keep)
		}
	}
}

// holdsAll reports whether no other replica holds a shard.
func (b *book) holdsAll() bool {
	for _, held := range b.held {
		if !held {
			return false
		}
	}
	return true
}

// done counts the rows that are confirmed and not yet being deleted.
func (b *book) done() int {
	n := 0
	for _, l := range b.lanes {
		n += len(l.done)
	}
	return n
}

// backlog reports whether a read would bring rows for sure and there is room.
func (b *book) backlog() bool {
	more := false
	for _, l := range b.lanes {
		if l.more && !l.full() {
			return true
		}
		more = more || l.more
	}
	return b.deep && !more // a sweep found more than it could bring
}

// next returns when a destination that waits may be tried again; zero is never.
func (b *book) next(now time.Time) time.Time {
	var first time.Time
	for _, l := range b.lanes {
		if l.until.After(now) && (first.IsZero() || l.until.Before(first)) {
			first = l.until
		}
	}
	return first
}
