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
	e := newEntry(consumer, m)
	fresh, there, err := e.insert(ctx, tx, tx.Conn().Config().DefaultQueryExecMode)
	if err != nil || there {
		return fresh, err
	}
	return e.insertAnew(ctx, tx)
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

// entry is a row of the inbox.
type entry struct {
	consumer, source, id string
	on                   date
}

func newEntry(consumer string, m message.Message) entry {
	return entry{consumer: consumer, source: m.Source, id: m.ID, on: dayOf(m.Time)}
}

// insert reports whether the row was written and whether its partition is there.
func (e entry) insert(ctx context.Context, tx pgx.Tx, how pgx.QueryExecMode) (fresh, there bool, err error) {
	return e.scan(tx.QueryRow(ctx, note, append([]any{how}, e.args()...)...))
}

func (e entry) args() []any {
	return []any{e.consumer, e.source, e.id, e.on.date(), e.on.table()}
}

// scan reads the answer to note.
func (e entry) scan(row pgx.Row) (fresh, there bool, err error) {
	var kept bool
	if err := row.Scan(&kept, &there, &fresh); err != nil {
		return false, false, postgres.Map(fmt.Errorf("note message %s in the inbox: %w", e.id, err))
	}
	if !kept {
		return false, false, errForgotten()
	}
	return fresh, there, nil
}

// insertAnew makes the partition that was missing, and writes the row.
func (e entry) insertAnew(ctx context.Context, tx pgx.Tx) (fresh bool, err error) {
	if err := makeOnDemand(ctx, tx, e.on); err != nil {
		return false, err
	}
	// A session that holds its locks already looks for changes of the schema only
	// when it parses: a prepared statement would not see the partition just made.
	fresh, there, err := e.insert(ctx, tx, pgx.QueryExecModeDescribeExec)
	if err == nil && !there {
		// An isolation level above READ COMMITTED does not see it either way.
		err = fault.New(fault.Unavailable, "the inbox has made room for the message's day: try again")
	}
	return fresh, err
}

func errForgotten() error {
	return fault.New(fault.Invalid, "the message is older than the inbox remembers")
}
