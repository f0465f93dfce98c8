package rest

import (
	"encoding/base64"

	"github.com/google/uuid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

// request reads what a customer asks for.
func request(r PlaceOrderRequestObject) order.Request {
	wanted := make([]order.Wanted, len(r.Body.Items))
	for i, it := range r.Body.Items {
		wanted[i] = order.Wanted{ProductID: it.ProductID, Quantity: it.Quantity}
	}
	return order.Request{
		CustomerID: r.Body.CustomerID,
		Items:      wanted,
		Token:      r.Body.Payment.Token,
		Level:      string(r.Body.Shipping.Level),
		Address:    deref(r.Body.Shipping.Address),
		Key:        r.Params.IdempotencyKey,
	}
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// optional returns nil for a zero value, which is not shown.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// document writes an order. Its means of payment are not in it: nobody is told.
func document(o order.Order) client.Order {
	return client.Order{
		ID:             identifier(o.ID),
		CustomerID:     o.CustomerID,
		State:          client.OrderState(o.Progress.State),
		Reason:         optional(client.CancelReason(o.Progress.Reason)),
		Settled:        o.Progress.Settled,
		Version:        o.Progress.Version,
		Items:          items(o.Items),
		Amount:         money(o.Amount),
		Shipping:       client.Shipping{Level: client.ShippingLevel(o.Level), Address: optional(o.Address)},
		TrackingNumber: optional(o.TrackingNumber),
		Legs: client.Legs{
			Stock:    stockNames[o.Progress.Stock],
			Payment:  moneyNames[o.Progress.Money],
			Shipping: parcelNames[o.Progress.Parcel],
		},
		PlacedAt:  o.PlacedAt,
		UpdatedAt: o.UpdatedAt,
	}
}

// identifier reads an id of the database, which is a UUID by its column's type.
func identifier(id string) uuid.UUID {
	u, _ := uuid.Parse(id)
	return u
}

func items(list []order.Item) []client.OrderItem {
	documents := make([]client.OrderItem, len(list))
	for i, it := range list {
		documents[i] = client.OrderItem{ProductID: it.ProductID, Quantity: it.Quantity, UnitPrice: money(it.UnitPrice)}
	}
	return documents
}

func money(m order.Money) client.Money {
	return client.Money{AmountMinor: m.AmountMinor, Currency: m.Currency}
}

func changes(entries []order.Entry) []client.OrderChange {
	documents := make([]client.OrderChange, len(entries))
	for i, e := range entries {
		documents[i] = change(e)
	}
	return documents
}

func change(e order.Entry) client.OrderChange {
	return client.OrderChange{
		OrderID:        identifier(e.OrderID),
		Version:        e.Version,
		Change:         client.ChangeName(e.Event),
		Reason:         optional(client.CancelReason(e.Reason)),
		TrackingNumber: optional(e.TrackingNumber),
		At:             e.At,
	}
}

// defaultLimit is the length of a page where the request does not say.
const defaultLimit = 50

// filter reads what to list. The cursor is the id of the last order, in a form that
// invites nobody to make one.
func filter(p client.ListOrdersParams) (order.Filter, error) {
	f := order.Filter{
		CustomerID: deref(p.CustomerID), State: machine.State(deref(p.State)), Limit: defaultLimit,
	}
	if p.Limit != nil {
		f.Limit = *p.Limit
	}
	if p.Cursor == nil {
		return f, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*p.Cursor)
	if err == nil {
		var id uuid.UUID
		id, err = uuid.FromBytes(raw)
		f.Before = id.String()
	}
	if err != nil {
		return f, fault.InvalidFields("the request is not valid",
			fault.Field{Name: "cursor", Rule: "must be the nextCursor of a page"})
	}
	return f, nil
}

// page writes at most limit orders; one more says that there is a next page.
func page(orders []order.Order, limit int) client.OrderPage {
	more := len(orders) > limit
	if more {
		orders = orders[:limit]
	}
	p := client.OrderPage{Orders: make([]client.Order, len(orders))}
	for i, o := range orders {
		p.Orders[i] = document(o)
	}
	if more {
		last := p.Orders[limit-1].ID
		cursor := base64.RawURLEncoding.EncodeToString(last[:])
		p.NextCursor = &cursor
	}
	return p
}

var (
	stockNames = map[machine.Stock]client.LegsStock{
		machine.StockOpen: client.LegsStockOpen, machine.StockReserved: client.LegsStockReserved,
		machine.StockRejected: client.LegsStockRejected, machine.StockPicked: client.LegsStockPicked,
		machine.StockReleased: client.LegsStockReleased, machine.StockReturned: client.LegsStockReturned,
	}
	moneyNames = map[machine.Money]client.LegsPayment{
		machine.MoneyOpen: client.LegsPaymentOpen, machine.MoneyAuthorized: client.LegsPaymentAuthorized,
		machine.MoneyDeclined: client.LegsPaymentDeclined, machine.MoneyCaptured: client.LegsPaymentCaptured,
		machine.MoneyVoided: client.LegsPaymentVoided, machine.MoneyRefunded: client.LegsPaymentRefunded,
	}
	parcelNames = map[machine.Parcel]client.LegsShipping{
		machine.ParcelOpen: client.LegsShippingOpen, machine.ParcelDispatched: client.LegsShippingDispatched,
		machine.ParcelFailed: client.LegsShippingFailed,
	}
)
