package kafka

// unknown is the position of a partition before anything is known of it.
const unknown = -1

// tracker knows which messages of one partition are unfinished. Messages are
// added in the order of their offsets, which need not be without gaps: compacted
// messages and transaction markers leave some. Its owner's lock guards it.
type tracker struct {
	// entries from head on are the messages from the oldest unfinished one to the
	// newest delivered one.
	entries []entry
	head    int
	// popped is how many entries ever left: an entry's number minus popped is its
	// distance from head.
	popped uint64
	// next is the offset below which everything was delivered or is not there.
	next int64
}

type entry struct {
	offset int64
	done   bool
}

func newTracker(next int64) tracker { return tracker{next: max(next, unknown)} }

// add notes a delivered message and returns its number.
func (t *tracker) add(offset int64) uint64 {
	t.entries = append(t.entries, entry{offset: offset})
	t.next = max(t.next, offset+1)
	return t.popped + uint64(len(t.entries)-t.head-1) //nolint:gosec // a length
}

// finish notes that a message is done.
func (t *tracker) finish(number uint64) {
	t.entries[t.head+int(number-t.popped)].done = true //nolint:gosec // below the length
	for t.head < len(t.entries) && t.entries[t.head].done {
		t.head++
		t.popped++
	}
	t.shrink()
}

// shrink lets go of the entries before head once they are most of the slice.
func (t *tracker) shrink() {
	if t.head == len(t.entries) {
		t.entries, t.head = t.entries[:0], 0
		return
	}
	if t.head > 1024 && t.head > len(t.entries)/2 {
		t.entries = t.entries[:copy(t.entries, t.entries[t.head:])]
		t.head = 0
	}
}

// skipTo notes that no message lies between what was delivered and offset.
func (t *tracker) skipTo(offset int64) { t.next = max(t.next, offset) }

// committable is the offset of the oldest unfinished message or, without one, of
// the message that comes next; unknown if nothing is known.
func (t *tracker) committable() int64 {
	if t.head < len(t.entries) {
		return t.entries[t.head].offset
	}
	return t.next
}

// ahead is how many messages lie between the oldest unfinished one and the newest.
func (t *tracker) ahead() int { return len(t.entries) - t.head }
