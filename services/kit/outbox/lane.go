package outbox

import (
	"math/rand/v2"
	"time"

	"parley.sh/services/kit/fault"
)

// probing is the longest pause between two tries of a destination that fails as a
// whole: how late it is noticed that a broker is back.
const probing = 2 * time.Second

// suspicious is how many batches of units that failed before may be unconfirmed
// at once, beside Config.InFlight batches of units that did not.
const suspicious = 2

// staleAfter is how long a parked unit is remembered past its time when nothing of
// it is found any more.
const staleAfter = time.Minute

// lane is what the relay knows of one destination.
type lane struct {
	to    destination
	cfg   Config
	units map[int64]*unit
	// known are the rows in memory, those included that wait to be deleted.
	known map[int64]struct{}
	bytes int
	// fresh are units that may go into a batch of any size; suspects, by the size
	// that they may go into, those that were in a failed one.
	fresh    fifo
	suspects map[int]*fifo
	parked   map[int64]*unit
	// crowd is how many parked units were not due at the last read.
	crowd int
	// flying and probed count unconfirmed batches of fresh units and of suspects.
	flying, probed int
	// failures counts batches that failed as a whole since the last success; while
	// there are any, one batch at a time is tried, not before until.
	failures int
	until    time.Time
	// more says that the table has rows which the last read left there.
	more bool
	// done are rows that are confirmed and not yet being deleted.
	done []place
}

func newLane(to destination, cfg Config) *lane {
	return &lane{
		to: to, cfg: cfg,
		units:    map[int64]*unit{},
		known:    map[int64]struct{}{},
		suspects: map[int]*fifo{},
		parked:   map[int64]*unit{},
	}
}

// flight is one batch, from take to settle.
type flight struct {
	lane    *lane
	units   []*unit
	suspect bool
}

// ready puts a unit whose first row is to be sent into its queue.
func (l *lane) ready(u *unit) {
	switch {
	case u.queued || u.flying || u.gone || len(u.rows) == 0:
	case u.limit == 0:
		l.fresh.push(u)
	default:
		q := l.suspects[u.limit]
		if q == nil {
			q = &fifo{}
			l.suspects[u.limit] = q
		}
		q.push(u)
	}
}

// take returns the next batch, or nil.
func (l *lane) take(now time.Time) *flight {
	if now.Before(l.until) || (l.failures > 0 && l.flying+l.probed > 0) {
		return nil
	}
	if l.failures > 0 && rand.N(2) == 0 {
		if f := l.takeSuspects(); f != nil { // nobody knows who can end the failure
			return f
		}
	}
	if l.flying < l.cfg.InFlight {
		if units := l.fresh.take(l.cfg.Batch); len(units) > 0 {
			l.flying++
			return l.launch(units, false)
		}
	}
	if l.probed < suspicious {
		return l.takeSuspects()
	}
	return nil
}

// takeSuspects picks among the sizes at random, so that none starves another.
func (l *lane) takeSuspects() *flight {
	for limit, q := range l.suspects {
		if units := q.take(limit); len(units) > 0 {
			l.probed++
			return l.launch(units, true)
		}
		delete(l.suspects, limit)
	}
	return nil
}

func (l *lane) launch(units []*unit, suspect bool) *flight {
	for _, u := range units {
		u.flying = true
	}
	return &flight{lane: l, units: units, suspect: suspect}
}

// land ends a flight whose results are being settled. A batch fails as a whole
// when no row of it was confirmed and its units are not to blame as far as anyone
// knows: they did not fail before, or the destination fails already.
func (l *lane) land(f *flight, results []error, now time.Time) (whole bool) {
	if f.suspect {
		l.probed--
	} else {
		l.flying--
	}
	for _, err := range results {
		if err == nil {
			l.recover(now)
			return false
		}
		if fault.Is(err, fault.Invalid) {
			return false
		}
	}
	if f.suspect && l.failures == 0 {
		return false
	}
	l.failures++
	l.until = now.Add(backoff(l.failures, l.cfg.RetryMin, l.probing()))
	return true
}

// recover ends the failure of the destination, and makes what it parked due.
func (l *lane) recover(now time.Time) {
	if l.failures == 0 {
		return
	}
	l.failures, l.until = 0, time.Time{}
	for _, u := range l.parked {
		if u.innocent {
			u.until = now
		}
	}
}

// park sets a unit aside, out of memory, until it is due.
func (l *lane) park(u *unit, now time.Time, innocent bool) {
	u.failures++
	u.innocent = innocent
	u.until = now.Add(backoff(u.failures, l.cfg.RetryMin, l.cfg.RetryMax))
	l.parked[u.hash] = u
}

// waiting lists the parked units that the next read leaves out: those that are not
// due, and of those that are due whatever would fill more than a quarter of the
// memory. The rest of it is for units that did not fail: without it those whose
// rows are the oldest would be read over and over, and none behind them ever.
func (l *lane) waiting(now time.Time) []int64 {
	room := l.cfg.Buffer / 4
	for _, q := range l.suspects {
		room -= q.len()
	}
	// A destination that fails must have something to be tried with.
	starving := l.failures > 0 && !now.Before(l.until) && len(l.known) == 0
	var units []int64
	for hash, u := range l.parked {
		due := !u.until.After(now) || (starving && u.innocent)
		switch {
		case now.Sub(u.until) > staleAfter && room > 0:
			delete(l.parked, hash)
			delete(l.units, hash)
		case due && room > 0:
			room--
		default:
			units = append(units, hash)
		}
	}
	return units
}

// probing is the longest pause between two tries of a destination that fails.
func (l *lane) probing() time.Duration { return min(probing, l.cfg.RetryMax) }

// settled forgets a unit of which nothing is left to remember.
func (l *lane) settled(u *unit) {
	if len(u.rows) > 0 {
		return
	}
	delete(l.units, u.hash)
	delete(l.parked, u.hash)
}

// backoff returns a pause with jitter: half of it at least, first after one failure
// and doubling up to longest.
func backoff(failures int, first, longest time.Duration) time.Duration {
	pause := longest
	if shift := failures - 1; shift < 30 && first<<shift < longest {
		pause = first << shift
	}
	return pause/2 + rand.N(pause/2+1)
}
