package outbox

import "time"

// unit is one destination and key: its rows are published one after the other.
//
//	            admit                    take
//	(unknown) --------> queued in lane --------> flying --confirmed, refused--> next row, or unknown
//	    ^                    ^                      |
//	    |                    '----------------------+ refused with others: smaller batch
//	    '--- due, read again --- parked <-----------' failed
type unit struct {
	hash  int64
	shard int16
	// rows are those in memory, in order. The first is out while flying.
	rows   []row
	flying bool
	queued bool
	// gone says that the shard was given away: nothing of it is tried again.
	gone bool
	// limit is the largest batch that it may be part of, after it was in a larger
	// one that failed. Zero means any.
	limit int
	// failures counts those of the unit itself since its last success.
	failures int
	// until is when a parked unit is due. It is innocent if the destination failed.
	until    time.Time
	innocent bool
	// since is the first read whose rows of this unit count. An earlier read left out
	// rows that were in memory then and are not any more.
	since uint64
}

// pop removes the first row, which is confirmed or refused, and clears the record.
func (u *unit) pop() row {
	r := u.rows[0]
	u.rows[0] = row{}
	u.rows = u.rows[1:]
	u.limit, u.failures = 0, 0
	return r
}

// suspect bounds the batches of a unit that was in a failed one with others like
// it: half of them next time, until it is alone.
func (u *unit) suspect(failed int) { u.limit = max(1, failed/2) }
