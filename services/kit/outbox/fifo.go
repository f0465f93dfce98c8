package outbox

// fifo is a queue of units. The zero value is empty.
type fifo struct {
	units []*unit
	head  int
}

// compactAt is how many places may be used up before they are reclaimed.
const compactAt = 1024

func (q *fifo) push(u *unit) {
	if q.head >= compactAt && q.head >= len(q.units)/2 {
		n := copy(q.units, q.units[q.head:])
		clear(q.units[n:])
		q.units, q.head = q.units[:n], 0
	}
	u.queued = true
	q.units = append(q.units, u)
}

// pop returns nil when the queue is empty. It skips what was given away.
func (q *fifo) pop() *unit {
	for q.head < len(q.units) {
		u := q.units[q.head]
		q.units[q.head] = nil
		q.head++
		u.queued = false
		if !u.gone {
			return u
		}
	}
	q.units, q.head = q.units[:0], 0
	return nil
}

// take pops up to n units.
func (q *fifo) take(n int) []*unit {
	units := make([]*unit, 0, min(n, q.len()))
	for len(units) < n {
		u := q.pop()
		if u == nil {
			break
		}
		units = append(units, u)
	}
	return units
}

// len counts the units, those included that were given away.
func (q *fifo) len() int { return len(q.units) - q.head }
