package inbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// Noted is an entry of the inbox that goes with a batch: see Queue.
type Noted struct {
	entry        entry
	fresh, there bool
}

// Queue is Once for a caller that has more to send at that moment, such as the
// lock of a row: the entry goes with the other statements of batch. Once the caller
// has sent batch in a transaction and closed it, Fresh says what Once would have
// said. The error of Queue, or of closing the batch, is Invalid for a message that
// Once refuses.
func Queue(batch *pgx.Batch, consumer string, m message.Message) (*Noted, error) {
	if err := bounds(m); err != nil {
		return nil, err
	}
	n := &Noted{entry: newEntry(consumer, m)}
	batch.Queue(note, n.entry.args()...).QueryRow(func(row pgx.Row) (err error) {
		n.fresh, n.there, err = n.entry.scan(row)
		return err
	})
	return n, nil
}

// Fresh reports whether the effect is to happen now, in tx, in which the batch was
// sent.
func (n *Noted) Fresh(ctx context.Context, tx pgx.Tx) (bool, error) {
	if n.there {
		return n.fresh, nil
	}
	return n.entry.insertAnew(ctx, tx)
}

// Admit adds to batch the check of whether Once would take m, and notes nothing. It
// is for a transaction that prepares an effect which a later one completes: what
// Once is going to refuse must not be begun. The error of Admit, or of closing the
// batch, is Invalid for a message that Once refuses.
func Admit(batch *pgx.Batch, m message.Message) error {
	if err := bounds(m); err != nil {
		return err
	}
	batch.Queue(`SELECT $1::date >= kept_from FROM inbox_window`, dayOf(m.Time).date()).QueryRow(func(row pgx.Row) error {
		var kept bool
		if err := row.Scan(&kept); err != nil {
			return postgres.Map(fmt.Errorf("look up the window of the inbox: %w", err))
		}
		if !kept {
			return errForgotten()
		}
		return nil
	})
	return nil
}
