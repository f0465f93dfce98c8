package outbox

import (
	"sync"
	"time"
)

// tenure is what a session and the work on its shards know of each other. The
// session takes shards and gives them up; the work says when it is done with them.
//
//	free --session locks--> held --session gives--> leaving --work is done--> unlocked
//
// A zero tenure holds nothing. Safe for concurrent use.
type tenure struct {
	mu   sync.Mutex
	held [Shards]bool
	// working are the shards that the work has not let go of.
	working [Shards]bool
	// beaten is when the server last showed that it knows the session.
	beaten time.Time

	// changed holds a token when held has changed.
	changed chan struct{}
}

func newTenure(now time.Time) *tenure {
	return &tenure{beaten: now, changed: make(chan struct{}, 1)}
}

// take begins to hold shards, which are locked.
func (t *tenure) take(shards []int) { t.set(shards, true) }

// give ends the work on shards. They stay locked until the work is done.
func (t *tenure) give(shards []int) { t.set(shards, false) }

func (t *tenure) set(shards []int, held bool) {
	if len(shards) == 0 {
		return
	}
	t.mu.Lock()
	for _, s := range shards {
		t.held[s] = held
		// From here on the work has it, whether it knows already or not.
		t.working[s] = t.working[s] || held
	}
	t.mu.Unlock()
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// report tells what the work has not let go of, and returns what it may hold. A
// shard that was taken since the work last asked is still in both.
func (t *tenure) report(busy func(shard int) bool) [Shards]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range Shards {
		t.working[s] = t.held[s] || busy(s)
	}
	return t.held
}

// shards lists what is held.
func (t *tenure) shards() []int16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	shards := []int16{}
	for s, held := range t.held {
		if held {
			shards = append(shards, int16(s)) //nolint:gosec // below Shards
		}
	}
	return shards
}

// done reports whether a shard that was given up may be unlocked.
func (t *tenure) done(shard int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.held[shard] && !t.working[shard]
}

// beat records that the server knew the session at a moment.
func (t *tenure) beat(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.beaten = at
}

// fresh reports whether the last beat is younger than limit. A process that was
// stopped for a while, and lost its session meanwhile, notices here.
func (t *tenure) fresh(now time.Time, limit time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.beaten) < limit
}
