package check_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"parley.sh/hack/audit/check"
	"parley.sh/hack/audit/evidence"
	"parley.sh/hack/load/journal"
)

const (
	sent      = "01935f2e-7c1a-7000-8000-000000000001"
	undone    = "01935f2e-7c1a-7000-8000-000000000002"
	stranger  = "01935f2e-7c1a-7000-8000-000000000003"
	customer  = "load-1"
	sentKey   = "key-1"
	undoneKey = "key-2"
)

var (
	price  = evidence.Money{Minor: 500, Currency: "EUR"}
	amount = evidence.Money{Minor: 1000, Currency: "EUR"}
	items  = []evidence.Item{{ProductID: "p", Quantity: 2}}
)

// whole is the evidence of a run that kept every promise: one order was shipped, and
// one whose carrier refused was undone.
func whole() *evidence.Evidence {
	e := evidence.New()
	e.Journal = append(orderLines(sentKey, sent, journal.Good), orderLines(undoneKey, undone, journal.CarrierFails)...)
	e.Keys[evidence.Key{Customer: customer, Key: sentKey}] = sent
	e.Keys[evidence.Key{Customer: customer, Key: undoneKey}] = undone
	e.Orders[sent] = evidence.Order{
		ID: sent, Customer: customer, State: "shipped", Settled: true, Version: 4, Amount: amount, Items: items, TrackingNumber: "trk",
	}
	e.Orders[undone] = evidence.Order{
		ID: undone, Customer: customer, State: "cancelled", Reason: "shipping_failed", Settled: true, Version: 4, Amount: amount, Items: items,
	}
	events(e, sent, "placed", "confirmed", "shipped", "settled")
	events(e, undone, "placed", "confirmed", "cancelled", "settled")
	atInventory(e)
	atPayment(e)
	atShipping(e)
	e.DeadLetters["Orders.payment.dlq"], e.Refused["order"] = 0, 0
	return e
}

func orderLines(key, id string, plan journal.Plan) []journal.Line {
	return []journal.Line{
		{Kind: journal.Placing, Key: key, Customer: customer, Plan: plan, Items: []journal.Item{{ProductID: "p", Quantity: 2}}},
		{Kind: journal.Placed, Key: key, Customer: customer, Status: 202, OrderID: id},
	}
}

var types = map[string]string{
	"placed": "OrderPlacedEvent", "confirmed": "OrderConfirmedEvent", "shipped": "OrderShippedEvent",
	"cancelled": "OrderCancelledEvent", "settled": "OrderSettledEvent",
}

func events(e *evidence.Evidence, id string, names ...string) {
	for i, name := range names {
		reason := ""
		if name == "cancelled" {
			reason = "shipping_failed"
		}
		e.Timeline[id] = append(e.Timeline[id], evidence.Change{Version: i + 1, Event: name, Reason: reason})
		data := map[string]any{"orderId": id, "version": i + 1}
		if reason != "" {
			data["reason"] = reason
		}
		publish(e, "Orders", id, types[name], data)
	}
}

func publish(e *evidence.Evidence, topic, subject, messageType string, data map[string]any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	n := len(e.Topics[topic])
	e.Topics[topic] = append(e.Topics[topic], evidence.Record{
		Offset: int64(n), Key: subject, Subject: subject, Type: messageType, ID: fmt.Sprintf("%s-%d", topic, n), Data: text,
	})
}

func atInventory(e *evidence.Evidence) {
	e.Products["p"] = evidence.Product{Stock: 8, OnHand: 8, Version: 5, Price: price}
	e.Movements = []evidence.Movement{
		{ProductID: "p", Kind: "seed", OnHand: 10},
		{ProductID: "p", OrderID: sent, Kind: "reserve", Reserved: 2},
		{ProductID: "p", OrderID: sent, Kind: "pick", OnHand: -2, Reserved: -2},
		{ProductID: "p", OrderID: undone, Kind: "reserve", Reserved: 2},
		{ProductID: "p", OrderID: undone, Kind: "pick", OnHand: -2, Reserved: -2},
		{ProductID: "p", OrderID: undone, Kind: "take_back", OnHand: 2},
	}
	e.Reservations[sent] = evidence.Reservation{State: "picked", Items: items}
	e.Reservations[undone] = evidence.Reservation{State: "returned", Items: items}
	for _, id := range []string{sent, undone} {
		publish(e, "Inventory", id, "StockReservedEvent", map[string]any{"orderId": id})
		publish(e, "Inventory", id, "StockPickedEvent", map[string]any{"orderId": id})
	}
	publish(e, "Inventory", undone, "StockReturnedEvent", map[string]any{"orderId": undone})
	publish(e, "Stock", "p", "StockLevelChangedEvent", map[string]any{
		"productId": "p", "version": 5, "stock": 8, "price": map[string]any{"amountMinor": 500, "currency": "EUR"},
	})
}

func atPayment(e *evidence.Evidence) {
	e.Payments[sent] = evidence.Payment{State: "captured", Amount: amount}
	e.Payments[undone] = evidence.Payment{State: "refunded", Amount: amount}
	data := map[string]any{"amount": map[string]any{"amountMinor": 1000, "currency": "EUR"}}
	for _, id := range []string{sent, undone} {
		book(e, id, "authorize", "customer", "held")
		book(e, id, "capture", "held", "revenue")
		publish(e, "Payments", id, "PaymentAuthorizedEvent", data)
		publish(e, "Payments", id, "PaymentCapturedEvent", data)
	}
	book(e, undone, "refund", "revenue", "customer")
	publish(e, "Payments", undone, "PaymentRefundedEvent", data)
}

func book(e *evidence.Evidence, id, kind, from, to string) {
	out := evidence.Money{Minor: -amount.Minor, Currency: amount.Currency}
	e.Ledger = append(e.Ledger, evidence.Entry{OrderID: id, Kind: kind, Lines: []evidence.Line{{Account: from, Amount: out}, {Account: to, Amount: amount}}})
	e.Provider = append(e.Provider, evidence.ProviderMovement{OrderID: id, Kind: kind, Key: id + kind, Amount: amount})
}

func atShipping(e *evidence.Evidence) {
	e.Shipments[sent] = evidence.Shipment{State: "dispatched", TrackingNumber: "trk"}
	e.Shipments[undone] = evidence.Shipment{State: "failed"}
	publish(e, "Shipments", sent, "ShipmentDispatchedEvent", map[string]any{"orderId": sent})
	publish(e, "Shipments", undone, "ShipmentFailedEvent", map[string]any{"orderId": undone, "reason": "carrier"})
	e.Carrier = []evidence.Parcel{{OrderID: sent, TrackingNumber: "trk"}}
}

func TestEveryPromiseKept(t *testing.T) {
	t.Parallel()
	for _, c := range check.All() {
		for _, v := range c.Run(whole()) {
			t.Error(v)
		}
	}
}

// change sets a field of a value that a map holds.
func change[V any](m map[string]V, key string, set func(*V)) {
	v := m[key]
	set(&v)
	m[key] = v
}

// breakages break one promise each, every promise in every way that its check looks
// for. A breakage may break others too.
func breakages() map[string][]func(*evidence.Evidence) {
	return map[string][]func(*evidence.Evidence){
		"rest": {
			func(e *evidence.Evidence) { e.Unrest = []string{"3 messages lie in PaymentQueue"} },
			func(e *evidence.Evidence) {
				change(e.Orders, sent, func(o *evidence.Order) { o.Settled = false })
			},
		},
		"accepted": {
			func(e *evidence.Evidence) { delete(e.Orders, sent) },
			func(e *evidence.Evidence) { delete(e.Keys, evidence.Key{Customer: customer, Key: sentKey}) },
			func(e *evidence.Evidence) { e.Keys[evidence.Key{Customer: customer, Key: undoneKey}] = sent },
			func(e *evidence.Evidence) {
				e.Journal = append(e.Journal, journal.Line{Kind: journal.Placed, Key: sentKey, Customer: customer, Status: 202, OrderID: undone})
			},
			func(e *evidence.Evidence) {
				change(e.Orders, sent, func(o *evidence.Order) { o.Items = []evidence.Item{{ProductID: "p", Quantity: 3}} })
			},
		},
		"known": {
			func(e *evidence.Evidence) { e.Reservations[stranger] = evidence.Reservation{} },
			func(e *evidence.Evidence) { e.Payments[stranger] = evidence.Payment{} },
			func(e *evidence.Evidence) { e.Shipments[stranger] = evidence.Shipment{} },
			func(e *evidence.Evidence) {
				e.Provider = append(e.Provider, evidence.ProviderMovement{OrderID: stranger, Kind: "authorize"})
			},
			func(e *evidence.Evidence) { e.Carrier = append(e.Carrier, evidence.Parcel{OrderID: stranger}) },
			func(e *evidence.Evidence) {
				e.Movements = append(e.Movements, evidence.Movement{ProductID: "p", OrderID: stranger})
			},
			func(e *evidence.Evidence) { publish(e, "Payments", stranger, "PaymentVoidedEvent", nil) },
			func(e *evidence.Evidence) { e.Orders[stranger] = evidence.Order{ID: stranger, Customer: customer} },
		},
		"outcome": {
			func(e *evidence.Evidence) { e.Journal[0].Plan = journal.Declined },
			func(e *evidence.Evidence) {
				change(e.Orders, undone, func(o *evidence.Order) { o.Reason = "customer_request" })
			},
		},
		"timeline": {
			func(e *evidence.Evidence) { e.Timeline[sent] = e.Timeline[sent][:3] },
			func(e *evidence.Evidence) { e.Timeline[sent][1].Event = "cancellation_requested" },
			func(e *evidence.Evidence) { e.Timeline[sent][2].Version = 9 },
		},
		"orders topic": {
			func(e *evidence.Evidence) { e.Topics["Orders"] = e.Topics["Orders"][1:] },
			func(e *evidence.Evidence) { e.Topics["Orders"][0].Data = []byte(`{`) },
			func(e *evidence.Evidence) { e.Topics["Orders"][0].Key = "another" },
			func(e *evidence.Evidence) {
				o := e.Topics["Orders"]
				o[0], o[1] = o[1], o[0]
			},
			func(e *evidence.Evidence) {
				again := e.Topics["Orders"][0]
				again.Data = []byte(`{"version":1,"new":true}`)
				e.Topics["Orders"] = append(e.Topics["Orders"], again)
			},
			func(e *evidence.Evidence) {
				change(e.Orders, undone, func(o *evidence.Order) { o.State = "shipped" })
			},
		},
		"facts topics": {
			func(e *evidence.Evidence) { e.Topics["Inventory"] = e.Topics["Inventory"][1:] },
			func(e *evidence.Evidence) { e.Topics["Payments"][0].Type = "PaymentVoidedEvent" },
			func(e *evidence.Evidence) { e.Topics["Shipments"] = nil },
			func(e *evidence.Evidence) { publish(e, "Shipments", sent, "ShipmentFailedEvent", nil) },
			func(e *evidence.Evidence) {
				change(e.Payments, sent, func(p *evidence.Payment) { p.Amount.Minor = 999 })
			},
		},
		"stock topic": {
			func(e *evidence.Evidence) { e.Topics["Stock"] = nil },
			func(e *evidence.Evidence) { e.Topics["Stock"][0].Data = []byte(`{`) },
			func(e *evidence.Evidence) { change(e.Products, "p", func(p *evidence.Product) { p.Stock = 9 }) },
			func(e *evidence.Evidence) {
				publish(e, "Stock", "p", "StockLevelChangedEvent", map[string]any{"productId": "p", "version": 4, "stock": 8})
			},
		},
		"shipped": {
			func(e *evidence.Evidence) { e.Carrier = nil },
			func(e *evidence.Evidence) { e.Carrier = append(e.Carrier, e.Carrier[0]) },
			func(e *evidence.Evidence) { e.Provider[1].Amount.Minor = 999 },
			func(e *evidence.Evidence) { e.Provider = append(e.Provider, e.Provider[1]) },
			func(e *evidence.Evidence) { e.Movements[2].OnHand = -1 },
			func(e *evidence.Evidence) { e.Movements[2].Reserved = 0 },
		},
		"cancelled": {
			func(e *evidence.Evidence) { e.Provider = e.Provider[:len(e.Provider)-1] },
			func(e *evidence.Evidence) {
				e.Provider = append(e.Provider, evidence.ProviderMovement{OrderID: undone, Kind: "authorize", Amount: amount})
			},
			func(e *evidence.Evidence) { e.Movements = e.Movements[:5] },
			func(e *evidence.Evidence) { e.Carrier = append(e.Carrier, evidence.Parcel{OrderID: undone}) },
		},
		"stock": {
			func(e *evidence.Evidence) { change(e.Products, "p", func(p *evidence.Product) { p.OnHand = 7 }) },
			func(e *evidence.Evidence) { change(e.Products, "p", func(p *evidence.Product) { p.Reserved = 1 }) },
			func(e *evidence.Evidence) { slices.Reverse(e.Movements) },
			func(e *evidence.Evidence) { e.Movements[0].OnHand = 11 },
		},
		"ledger": {
			func(e *evidence.Evidence) { e.Ledger[0].Lines[0].Amount.Minor++ },
			func(e *evidence.Evidence) { e.Ledger[0].Lines = e.Ledger[0].Lines[:1] },
			func(e *evidence.Evidence) { e.Ledger = append(e.Ledger, e.Ledger[0]) },
			func(e *evidence.Evidence) { e.Ledger = e.Ledger[1:] },
			func(e *evidence.Evidence) { e.Provider = e.Provider[1:] },
			func(e *evidence.Evidence) { e.Provider = append(e.Provider, e.Provider[0]) },
		},
		"dead letters": {
			func(e *evidence.Evidence) { e.DeadLetters["Orders.payment.dlq"] = 1 },
			func(e *evidence.Evidence) { e.Refused["order"] = 1 },
			func(e *evidence.Evidence) {
				e.Journal = append(e.Journal, journal.Line{Kind: journal.Littering, Place: "Orders.payment.dlq"})
			},
		},
	}
}

func TestEveryPromiseCanBreak(t *testing.T) {
	t.Parallel()
	broken := breakages()
	for _, c := range check.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if len(broken[c.Name]) == 0 {
				t.Fatal("nothing breaks this promise")
			}
			for i, breakage := range broken[c.Name] {
				e := whole()
				breakage(e)
				if len(c.Run(e)) == 0 {
					t.Errorf("breakage %d was not seen", i+1)
				}
			}
		})
	}
}
