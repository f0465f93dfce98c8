package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// columnOf names the column of each clock.
var columnOf = map[order.Clock]string{order.ClockDeadline: "deadline_at", order.ClockAsk: "ask_at"}

// Due implements order.Agenda.
func (s *Store) Due(ctx context.Context, c order.Clock, now time.Time, limit int) ([]order.Due, error) {
	rows, err := s.db.Query(ctx, `SELECT id::text, trace FROM orders WHERE `+columnOf[c]+` <= $1
		ORDER BY `+columnOf[c]+` LIMIT $2`, now, limit)
	if err != nil {
		return nil, postgres.Map(err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[order.Due])
	return due, postgres.Map(err)
}

// UpdateDue implements order.Agenda. Two replicas find the same orders; the second
// finds the row locked and skips it, or finds its clock moved on.
func (s *Store) UpdateDue(
	ctx context.Context, id string, c order.Clock, now time.Time, decide order.Decide,
) (bool, error) {
	var made *order.Change
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		made = nil
		before, err := selectDue(ctx, tx, id, c, now)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		made, err = s.apply(ctx, tx, before, decide)
		return err
	})
	if err != nil || made == nil {
		return false, err
	}
	s.wrote(*made)
	return true, nil
}

func selectDue(ctx context.Context, tx pgx.Tx, id string, c order.Clock, now time.Time) (order.Order, error) {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM orders WHERE id = $1 AND "+columnOf[c]+
		" <= $2 FOR UPDATE SKIP LOCKED", id, now)
	if err != nil {
		return order.Order{}, postgres.Map(err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOrder)
	return o, postgres.Map(err)
}
