package rabbit

import (
	"math/rand/v2"
	"testing"
)

// strictBroker knows the deliveries of a channel as RabbitMQ does: it closes the
// channel over the acknowledgement of a tag that it does not wait for.
type strictBroker struct{ waiting map[uint64]bool }

func (b *strictBroker) ack(t *testing.T, tag uint64, upTo bool) (acked []uint64) {
	t.Helper()
	if !b.waiting[tag] {
		t.Fatalf("tag %d is acknowledged and not waited for", tag)
	}
	for other := range b.waiting {
		if other == tag || upTo && other < tag {
			acked = append(acked, other)
		}
	}
	for _, other := range acked {
		delete(b.waiting, other)
	}
	return acked
}

// Deliveries are finished in any order and acknowledged at any time: each is
// acknowledged once it is finished, never before, and only once.
func TestTallyAcknowledgesWhatIsFinished(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		broker := &strictBroker{waiting: map[uint64]bool{}}
		total := uint64(1 + r.IntN(60))
		for tag := uint64(1); tag <= total; tag++ {
			broker.waiting[tag] = true
		}
		sums, finished := newTally(), map[uint64]bool{}
		acknowledge := func() {
			upTo, singles := sums.due()
			var acked []uint64
			if upTo > 0 {
				acked = broker.ack(t, upTo, true)
			}
			for _, tag := range singles {
				acked = append(acked, broker.ack(t, tag, false)...)
			}
			for _, tag := range acked {
				if !finished[tag] {
					t.Fatalf("seed %d: tag %d is acknowledged before it is finished", seed, tag)
				}
			}
			for tag := range finished {
				if broker.waiting[tag] {
					t.Fatalf("seed %d: finished tag %d is not acknowledged", seed, tag)
				}
			}
		}
		for _, n := range r.Perm(int(total)) {
			sums.finish(uint64(n + 1))
			finished[uint64(n+1)] = true
			if r.IntN(4) == 0 {
				sums.finish(uint64(n + 1))
				acknowledge()
			}
		}
		acknowledge()
		if len(broker.waiting) > 0 || len(sums.done) > 0 || sums.low != total+1 {
			t.Fatalf("seed %d: %d unacknowledged, %d remembered, low %d", seed, len(broker.waiting), len(sums.done), sums.low)
		}
	}
}

func TestTallyTakesAWholeRunAtOnce(t *testing.T) {
	t.Parallel()
	sums := newTally()
	for _, tag := range []uint64{2, 1, 3, 5} {
		sums.finish(tag)
	}
	upTo, singles := sums.due()
	if upTo != 3 || len(singles) != 1 || singles[0] != 5 {
		t.Errorf("due = up to %d and %v, want up to 3 and 5", upTo, singles)
	}
	sums.finish(4)
	if upTo, singles = sums.due(); upTo != 4 || len(singles) != 0 {
		t.Errorf("due = up to %d and %v, want up to 4, the last that was not acknowledged", upTo, singles)
	}
}
