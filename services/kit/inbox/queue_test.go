package inbox

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// queued is Once by way of a batch that has something else to send before and after.
func queued(ctx context.Context, db *postgres.DB, m message.Message) (fresh bool, err error) {
	err = db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var batch pgx.Batch
		batch.Queue(`SELECT 1`)
		noted, err := Queue(&batch, "test", m)
		if err != nil {
			return err
		}
		batch.Queue(`SELECT 2`)
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		fresh, err = noted.Fresh(ctx, tx)
		return err
	})
	return fresh, err
}

func admitted(ctx context.Context, db *postgres.DB, m message.Message) error {
	return db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var batch pgx.Batch
		if err := Admit(&batch, m); err != nil {
			return err
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

// A batch and Once know of each other's entries, and of a day that nobody has made.
func TestQueueIsOnce(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	first, second := newMessage("1", time.Now()), newMessage("2", time.Now().Add(-2*day))
	steps := []struct {
		name string
		once func(context.Context, *postgres.DB, message.Message) (bool, error)
		m    message.Message
		want bool
	}{
		{"the first of a missing day", queued, first, true},
		{"a repeat", queued, first, false},
		{"a repeat by itself", handle, first, false},
		{"the first of another day", handle, second, true},
		{"a repeat of it", queued, second, false},
	}
	for _, s := range steps {
		if fresh, err := s.once(ctx, db, s.m); fresh != s.want || err != nil {
			t.Errorf("%s: fresh = %v, %v; want %v", s.name, fresh, err, s.want)
		}
	}
}

func TestQueueAndAdmitRefuseWhatOnceRefuses(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	tests := map[string]message.Message{
		"no id":              {Source: "order", Time: time.Now()},
		"no time":            {ID: "1", Source: "order"},
		"older than kept":    newMessage("1", midnight().Add(-8*day-time.Second)),
		"beyond the horizon": newMessage("1", time.Now().Add(MaxAhead+time.Minute)),
	}
	for name, m := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if fresh, err := queued(ctx, db, m); fresh || !fault.Is(err, fault.Invalid) {
				t.Errorf("Queue = %v, %v; want Invalid", fresh, err)
			}
			if err := admitted(ctx, db, m); !fault.Is(err, fault.Invalid) {
				t.Errorf("Admit = %v, want Invalid", err)
			}
		})
	}
}

func TestAdmitNotesNothing(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	m := newMessage("1", midnight().Add(-8*day))
	for range 2 {
		if err := admitted(ctx, db, m); err != nil {
			t.Errorf("Admit = %v", err)
		}
	}
	if diff := cmp.Diff([]string{}, tables(ctx, t, db)); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	if fresh, err := queued(ctx, db, m); !fresh || err != nil {
		t.Errorf("Queue = %v, %v; want it fresh", fresh, err)
	}
	if err := admitted(ctx, db, m); err != nil {
		t.Errorf("Admit of what was handled = %v", err)
	}
}
