package evidence

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Databases are the addresses of the services' databases.
type Databases struct {
	Order, Inventory, Payment, Shipping string
}

// reader reads one database in one read-only transaction.
type reader struct {
	ctx context.Context
	tx  pgx.Tx
	err error
}

// inDatabase runs read in a transaction that sees one moment and can write nothing.
func inDatabase(ctx context.Context, url string, read func(*reader)) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	r := &reader{ctx: ctx, tx: tx}
	read(r)
	return r.err
}

// each calls row for every row of a query. After an error it does nothing.
func (r *reader) each(query string, row func(pgx.Row) error) {
	if r.err != nil {
		return
	}
	rows, err := r.tx.Query(r.ctx, query)
	if err != nil {
		r.err = err
		return
	}
	defer rows.Close()
	for rows.Next() {
		if r.err = row(rows); r.err != nil {
			return
		}
	}
	r.err = rows.Err()
}

func (r *reader) refused(into map[string]int, service string) {
	r.each(`SELECT count(*) FROM outbox_refused`, func(row pgx.Row) error {
		var n int
		err := row.Scan(&n)
		into[service] = n
		return err
	})
}

// readDatabases reads all four.
func (e *Evidence) readDatabases(ctx context.Context, d Databases) error {
	for _, source := range []struct {
		name, url string
		read      func(*reader)
	}{
		{"order", d.Order, e.readOrders},
		{"inventory", d.Inventory, e.readInventory},
		{"payment", d.Payment, e.readPayments},
		{"shipping", d.Shipping, e.readShipments},
	} {
		err := inDatabase(ctx, source.url, func(r *reader) {
			source.read(r)
			r.refused(e.Refused, source.name)
		})
		if err != nil {
			return fmt.Errorf("read the database of %s: %w", source.name, err)
		}
	}
	return nil
}

func (e *Evidence) readOrders(r *reader) {
	r.each(`SELECT id, customer_id, state, reason, settled, version, amount_minor, currency, items, tracking_number
		FROM orders`, func(row pgx.Row) error {
		var o Order
		err := row.Scan(&o.ID, &o.Customer, &o.State, &o.Reason, &o.Settled, &o.Version,
			&o.Amount.Minor, &o.Amount.Currency, &o.Items, &o.TrackingNumber)
		e.Orders[o.ID] = o
		return err
	})
	r.each(`SELECT order_id::text, version, event, reason FROM timeline ORDER BY order_id, version`, func(row pgx.Row) error {
		var id string
		var c Change
		err := row.Scan(&id, &c.Version, &c.Event, &c.Reason)
		e.Timeline[id] = append(e.Timeline[id], c)
		return err
	})
	r.each(`SELECT customer_id, key, order_id FROM idempotency`, func(row pgx.Row) error {
		var k Key
		var id string
		err := row.Scan(&k.Customer, &k.Key, &id)
		e.Keys[k] = id
		return err
	})
}

func (e *Evidence) readInventory(r *reader) {
	r.each(`SELECT id, on_hand - reserved, on_hand, reserved, version, price_minor, currency FROM product`,
		func(row pgx.Row) error {
			var id string
			var p Product
			err := row.Scan(&id, &p.Stock, &p.OnHand, &p.Reserved, &p.Version, &p.Price.Minor, &p.Price.Currency)
			e.Products[id] = p
			return err
		})
	r.each(`SELECT product_id, coalesce(order_id::text, ''), kind, on_hand, reserved FROM movement ORDER BY id`,
		func(row pgx.Row) error {
			var m Movement
			err := row.Scan(&m.ProductID, &m.OrderID, &m.Kind, &m.OnHand, &m.Reserved)
			e.Movements = append(e.Movements, m)
			return err
		})
	r.each(`SELECT order_id, state, items FROM reservation`, func(row pgx.Row) error {
		var id string
		var v Reservation
		err := row.Scan(&id, &v.State, &v.Items)
		e.Reservations[id] = v
		return err
	})
}

func (e *Evidence) readPayments(r *reader) {
	r.each(`SELECT order_id, state, amount_minor, currency FROM payment`, func(row pgx.Row) error {
		var id string
		var p Payment
		err := row.Scan(&id, &p.State, &p.Amount.Minor, &p.Amount.Currency)
		e.Payments[id] = p
		return err
	})
	entries := map[int64]int{}
	r.each(`SELECT id, order_id, kind FROM ledger_entry ORDER BY id`, func(row pgx.Row) error {
		var id int64
		var v Entry
		err := row.Scan(&id, &v.OrderID, &v.Kind)
		entries[id] = len(e.Ledger)
		e.Ledger = append(e.Ledger, v)
		return err
	})
	r.each(`SELECT entry_id, account, amount_minor, currency FROM ledger_line ORDER BY entry_id, account`,
		func(row pgx.Row) error {
			var id int64
			var l Line
			err := row.Scan(&id, &l.Account, &l.Amount.Minor, &l.Amount.Currency)
			if err == nil {
				v := &e.Ledger[entries[id]]
				v.Lines = append(v.Lines, l)
			}
			return err
		})
}

func (e *Evidence) readShipments(r *reader) {
	r.each(`SELECT order_id, state, tracking_number FROM shipment`, func(row pgx.Row) error {
		var id string
		var s Shipment
		err := row.Scan(&id, &s.State, &s.TrackingNumber)
		e.Shipments[id] = s
		return err
	})
}
