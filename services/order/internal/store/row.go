package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley.sh/services/kit/postgres"
	"parley.sh/services/order/internal/order"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const columns = `id::text, customer_id, state, reason, stock, money, parcel, settled, version,
	amount_minor, currency, items, level, address, tracking_number, trace,
	placed_at, updated_at, deadline_at, ask_at, asked`

// The locks that selectOrder can take.
const lockOrder = " FOR UPDATE"

// item is the form of an item in the column items.
type item struct {
	ProductID  string `json:"productId"`
	Quantity   int64  `json:"quantity"`
	PriceMinor int64  `json:"priceMinor"`
	Currency   string `json:"currency"`
}

func encodeItems(items []order.Item) ([]byte, error) {
	rows := make([]item, len(items))
	for i, it := range items {
		rows[i] = item{it.ProductID, it.Quantity, it.UnitPrice.AmountMinor, it.UnitPrice.Currency}
	}
	data, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("encode items: %w", err)
	}
	return data, nil
}

func decodeItems(data []byte) ([]order.Item, error) {
	var rows []item
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, fmt.Errorf("decode items: %w", err)
	}
	items := make([]order.Item, len(rows))
	for i, r := range rows {
		items[i] = order.Item{
			ProductID: r.ProductID, Quantity: r.Quantity,
			UnitPrice: order.Money{AmountMinor: r.PriceMinor, Currency: r.Currency},
		}
	}
	return items, nil
}

func selectOrder(ctx context.Context, q querier, lock, id string) (order.Order, error) {
	rows, err := q.Query(ctx, "SELECT "+columns+" FROM orders WHERE id = $1"+lock, id)
	if err != nil {
		return order.Order{}, postgres.Map(err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOrder)
	return o, noOrder(postgres.Map(err))
}

func scanOrder(row pgx.CollectableRow) (order.Order, error) {
	var o order.Order
	var items []byte
	var deadline, ask *time.Time
	p := &o.Progress
	err := row.Scan(&o.ID, &o.CustomerID,
		&p.State, &p.Reason, &p.Stock, &p.Money, &p.Parcel, &p.Settled, &p.Version,
		&o.Amount.AmountMinor, &o.Amount.Currency, &items, &o.Level, &o.Address, &o.TrackingNumber, &o.Trace,
		&o.PlacedAt, &o.UpdatedAt, &deadline, &ask, &o.Asked)
	if err != nil {
		return o, err
	}
	o.PlacedAt, o.UpdatedAt = o.PlacedAt.UTC(), o.UpdatedAt.UTC()
	o.DeadlineAt, o.AskAt = moment(deadline), moment(ask)
	o.Items, err = decodeItems(items)
	return o, err
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func insertOrder(ctx context.Context, tx pgx.Tx, c order.Change, items []byte) error {
	o, p := c.Order, c.Order.Progress
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO orders (id, customer_id, state, version, amount_minor, currency, items,
			level, address, trace, placed_at, updated_at, deadline_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		o.ID, o.CustomerID, string(p.State), p.Version, o.Amount.AmountMinor, o.Amount.Currency, items,
		o.Level, o.Address, o.Trace, o.PlacedAt, o.UpdatedAt, nullable(o.DeadlineAt))
	queueEntries(b, c.Entries)
	return postgres.Map(tx.SendBatch(ctx, b).Close())
}

func updateOrder(ctx context.Context, tx pgx.Tx, c order.Change) error {
	o, p := c.Order, c.Order.Progress
	b := &pgx.Batch{}
	b.Queue(`UPDATE orders SET state = $2, reason = $3, stock = $4, money = $5, parcel = $6, settled = $7,
			version = $8, tracking_number = $9, updated_at = $10, deadline_at = $11, ask_at = $12, asked = $13
		WHERE id = $1`,
		o.ID, string(p.State), string(p.Reason), int(p.Stock), int(p.Money), int(p.Parcel), p.Settled, p.Version,
		o.TrackingNumber, o.UpdatedAt, nullable(o.DeadlineAt), nullable(o.AskAt), o.Asked)
	queueEntries(b, c.Entries)
	return postgres.Map(tx.SendBatch(ctx, b).Close())
}

func queueEntries(b *pgx.Batch, entries []order.Entry) {
	for _, e := range entries {
		b.Queue(`INSERT INTO timeline (order_id, version, event, reason, tracking_number, at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			e.OrderID, e.Version, string(e.Event), string(e.Reason), e.TrackingNumber, e.At)
	}
}

// insertKey is order.ErrKeyTaken if the customer has used the key.
func insertKey(ctx context.Context, tx pgx.Tx, k order.Key) error {
	tag, err := tx.Exec(ctx, `INSERT INTO idempotency (customer_id, key, fingerprint, order_id, created_at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, k.CustomerID, k.Key, k.Fingerprint[:], k.OrderID, k.At)
	if err != nil {
		return postgres.Map(err)
	}
	if tag.RowsAffected() == 0 {
		return order.ErrKeyTaken
	}
	return nil
}
