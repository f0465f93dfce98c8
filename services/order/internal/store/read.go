package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// Orders implements order.Reader.
func (s *Store) Orders(ctx context.Context, f order.Filter) ([]order.Order, error) {
	where, args := []string{"true"}, []any{f.Limit}
	add := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			where = append(where, fmt.Sprintf(condition, len(args)))
		}
	}
	add("customer_id = $%d", f.CustomerID)
	add("state = $%d", string(f.State))
	add("id < $%d", f.Before)
	rows, err := s.db.Query(ctx, "SELECT "+columns+" FROM orders WHERE "+strings.Join(where, " AND ")+
		" ORDER BY id DESC LIMIT $1", args...)
	if err != nil {
		return nil, postgres.Map(err)
	}
	orders, err := pgx.CollectRows(rows, scanOrder)
	return orders, postgres.Map(err)
}

const entryColumns = "order_id::text, version, event, reason, tracking_number, at"

// Timeline implements order.Reader.
func (s *Store) Timeline(ctx context.Context, id string, after int) ([]order.Entry, error) {
	rows, err := s.db.Query(ctx, "SELECT "+entryColumns+` FROM timeline
		WHERE order_id = $1 AND version > $2 ORDER BY version`, id, after)
	if err != nil {
		return nil, postgres.Map(err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (order.Entry, error) { return scanEntry(row) })
	return entries, postgres.Map(err)
}

// Changes implements order.Reader.
func (s *Store) Changes(ctx context.Context, after order.Position, limit int) ([]order.Placement, error) {
	tx, seq, err := parsePosition(after)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, "SELECT "+entryColumns+`, tx::text || '-' || seq FROM timeline
		WHERE (tx, seq) > ($1::text::xid8, $2) AND tx < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY tx, seq LIMIT $3`, tx, seq, limit)
	if err != nil {
		return nil, postgres.Map(err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (order.Placement, error) {
		var p order.Placement
		var err error
		p.Entry, err = scanEntry(row, &p.Position)
		return p, err
	})
	return changes, postgres.Map(err)
}

// Now implements order.Reader: the position before every change that is still to
// become visible. Some that are visible already may lie behind it.
func (s *Store) Now(ctx context.Context) (order.Position, error) {
	var p order.Position
	err := s.db.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text || '-0'").Scan(&p)
	return p, postgres.Map(err)
}

// scanEntry scans the columns of entryColumns, and further ones into more.
func scanEntry(row pgx.CollectableRow, more ...any) (order.Entry, error) {
	var e order.Entry
	err := row.Scan(append([]any{&e.OrderID, &e.Version, &e.Event, &e.Reason, &e.TrackingNumber, &e.At}, more...)...)
	e.At = e.At.UTC()
	return e, err
}

// parsePosition splits "tx-seq". A transaction id is a number of 64 bits without a
// sign.
func parsePosition(p order.Position) (tx string, seq int64, err error) {
	tx, rest, ok := strings.Cut(string(p), "-")
	if ok {
		_, err = strconv.ParseUint(tx, 10, 64)
	}
	if ok && err == nil {
		seq, err = strconv.ParseInt(rest, 10, 64)
	}
	if !ok || err != nil {
		return "", 0, fault.InvalidFields("the position is not valid",
			fault.Field{Name: "Last-Event-ID", Rule: "must be the id of an event of this stream"})
	}
	return tx, seq, nil
}

// Unsettled counts the orders that are not settled, by state, and returns when the
// oldest of them was placed; the zero time if there is none.
func (s *Store) Unsettled(ctx context.Context) (map[string]int, time.Time, error) {
	rows, err := s.db.Query(ctx, `SELECT state, count(*), min(placed_at) FROM orders
		WHERE NOT settled GROUP BY state`)
	if err != nil {
		return nil, time.Time{}, postgres.Map(err)
	}
	defer rows.Close()
	counts, oldest := map[string]int{}, time.Time{}
	for rows.Next() {
		var state string
		var n int
		var at time.Time
		if err := rows.Scan(&state, &n, &at); err != nil {
			return nil, time.Time{}, postgres.Map(err)
		}
		counts[state] = n
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at.UTC()
		}
	}
	return counts, oldest, postgres.Map(rows.Err())
}
