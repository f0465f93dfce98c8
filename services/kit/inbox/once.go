package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// MaxAhead is how far a message's time may lie in the future: clocks differ.
const MaxAhead = time.Hour

// note writes the row unless the day is forgotten or has no partition yet, and says
// which of these it is. Without the check an insert into a missing partition would
// end the caller's transaction.
const note = `
WITH window_ AS (SELECT $4::date >= kept_from AS kept FROM inbox_window),
     partition_ AS (
         SELECT EXISTS (
             SELECT FROM pg_inherits
             WHERE inhparent = 'inbox'::regclass AND inhrelid = to_regclass($5) AND NOT inhdetachpending
         ) AS there),
     inserted AS (
         INSERT INTO inbox (consumer, source, message_id, day)
         SELECT $1, $2, $3, $4 FROM window_, partition_ WHERE kept AND there
         ON CONFLICT DO NOTHING
         RETURNING 1)
SELECT kept, there, EXISTS (SELECT FROM inserted) FROM window_, partition_`

// Once notes in tx that consumer has handled m. It is the first statement of the
// effect's transaction: fresh means that the effect is to happen now, and not
// fresh that it has happened, in a transaction that is committed. Of concurrent
// deliveries one is fresh; the others wait until its transaction ends.
//
// A repeat is known by source, id and day of m.Time, which a resend keeps; the
// same message may be handled once by each consumer of one database.
//
// A message without id, source or time, older than the inbox remembers, or more
// than MaxAhead in the future is Invalid: nothing tells whether it was handled.
// Other errors have gone through postgres.Map; tx is then to be rolled back.
func Once(ctx context.Context, tx pgx.Tx, consumer string, m message.Message) (fresh bool, err error) {
	if err := bounds(m); err != nil {
		return false, err
	}
	on := dayOf(m.Time)
	fresh, there, err := insert(ctx, tx, consumer, m)
	if err != nil || there {
		return fresh, err
	}
	if err := makeOnDemand(ctx, tx, on); err != nil {
		return false, err
	}
	fresh, there, err = insert(ctx, tx, consumer, m)
	if err == nil && !there {
		// An isolation level above READ COMMITTED does not see what was just made.
		err = fault.New(fault.Unavailable, "the inbox has made room for the message's day: try again")
	}
	return fresh, err
}

func bounds(m message.Message) error {
	switch {
	case m.ID == "" || m.Source == "" || m.Time.IsZero():
		return fault.New(fault.Invalid, "the message has no id, source or time")
	case time.Until(m.Time) > MaxAhead:
		return fault.New(fault.Invalid, "the message's time lies in the future")
	}
	return nil
}

// insert reports whether the row was written and whether its partition is there.
func insert(ctx context.Context, tx pgx.Tx, consumer string, m message.Message) (fresh, there bool, err error) {
	on := dayOf(m.Time)
	var kept bool
	row := tx.QueryRow(ctx, note, consumer, m.Source, m.ID, on.date(), on.table())
	if err := row.Scan(&kept, &there, &fresh); err != nil {
		return false, false, postgres.Map(fmt.Errorf("note message %s in the inbox: %w", m.ID, err))
	}
	if !kept {
		return false, false, errForgotten()
	}
	return fresh, there, nil
}

func errForgotten() error {
	return fault.New(fault.Invalid, "the message is older than the inbox remembers")
}
