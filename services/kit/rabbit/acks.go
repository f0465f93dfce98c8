package rabbit

// tally knows which deliveries of one channel are finished. Delivery tags of a
// channel count from 1 without gaps.
//
// Most deliveries are acknowledged many at once: one acknowledgement covers every
// tag up to its own. Those finished beyond an unfinished one, such as a held message,
// are acknowledged one by one, or they would fill the prefetch behind it.
type tally struct {
	low  uint64          // every tag below it is acknowledged
	done map[uint64]bool // of the tags from low on, the finished; true once acknowledged
	late []uint64        // finished and not acknowledged, in order of finishing
}

func newTally() tally { return tally{low: 1, done: map[uint64]bool{}} }

// finish notes a finished delivery. Finishing one twice changes nothing.
func (t *tally) finish(tag uint64) {
	if _, twice := t.done[tag]; tag < t.low || twice {
		return
	}
	t.done[tag] = false
	t.late = append(t.late, tag)
}

// due returns what to acknowledge now: everything up to a tag (0 for nothing), and
// single tags beyond it. The broker takes a tag of "everything up to" that it does
// not wait for as a mistake, so it is always one that was not acknowledged yet.
func (t *tally) due() (upTo uint64, singles []uint64) {
	for {
		acked, finished := t.done[t.low]
		if !finished {
			break
		}
		if !acked {
			upTo = t.low
		}
		delete(t.done, t.low)
		t.low++
	}
	for _, tag := range t.late {
		if tag >= t.low {
			t.done[tag] = true
			singles = append(singles, tag)
		}
	}
	t.late = t.late[:0]
	return upTo, singles
}
