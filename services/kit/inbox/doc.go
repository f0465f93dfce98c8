// Package inbox gives a message one effect, however often it is delivered.
//
//	err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
//		fresh, err := inbox.Once(ctx, tx, "inventory", m)
//		if err != nil || !fresh {
//			return err
//		}
//		return reserve(ctx, tx, order)
//	})
//
// What it promises: the transactions in which Once says fresh and which commit are
// at most one per consumer and message, whatever is redelivered, at once or days
// later, to whichever replica, and whatever is purged in between.
//
// Rows must go some day, and a message whose row is gone must not look new. So the
// day of the message's own time (ce_time, which a resend keeps) is part of the
// key: the repeat of a message looks for its row in the day where the first
// delivery put it, on whichever side of midnight it arrives. A day is a partition and
// goes as a whole, and inbox_window says which day is the first that is kept:
//
//	           kept_from                    today
//	refused  |  a row per handled message  |  +1  +2  | refused beyond MaxAhead
//	Invalid  |  INBOX_KEEP                 |  made ahead
//
// The hard part is the edge on the left. The Keeper raises kept_from, commits, and
// only then detaches what lies before it; Once reads kept_from in the statement
// that writes the row. A delivery that read the old value holds a lock on its
// partition, and the detach waits for it; one that comes later reads the new value
// and is refused. Nothing depends on the clocks of replicas agreeing.
//
// What is refused is Invalid, and dead-lettered: it may be a repeat or not, and
// somebody must decide. INBOX_KEEP therefore has to exceed the time for which a message
// can be under way. Eight days are more than the week for which Kafka keeps a topic
// by default; a topic that is kept longer may be read again from its beginning
// only by projections, which need no inbox.
//
// A partition that is missing, because no Keeper ran for days, is made on demand:
// Once does not fail at midnight. No partition is a default one: it would have to be
// scanned, under a lock, for every day that is attached.
package inbox
