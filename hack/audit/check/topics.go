package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley.sh/hack/audit/evidence"
	"parley.sh/services/contract"
)

// legalTimelines are the five ways of an order.
var legalTimelines = []string{
	"placed confirmed shipped settled",
	"placed confirmed cancellation_requested shipped settled",
	"placed confirmed cancelled settled",
	"placed confirmed cancellation_requested cancelled settled",
	"placed cancelled settled",
}

func timeline(e *evidence.Evidence, r *report) {
	for _, id := range sorted(e.Orders) {
		var events []string
		for i, c := range e.Timeline[id] {
			events = append(events, c.Event)
			if c.Version != i+1 {
				r.add(id, "version %d where %d is due", c.Version, i+1)
			}
		}
		if way := strings.Join(events, " "); !slices.Contains(legalTimelines, way) {
			r.add(id, "the timeline %q is not legal", way)
		}
		if len(events) != e.Orders[id].Version {
			r.add(id, "version %d of %d events", e.Orders[id].Version, len(events))
		}
	}
}

// eventTypes are the message types of the timeline's events.
var eventTypes = map[string]string{
	"placed": "OrderPlacedEvent", "confirmed": "OrderConfirmedEvent",
	"cancellation_requested": "OrderCancellationRequestedEvent", "shipped": "OrderShippedEvent",
	"cancelled": "OrderCancelledEvent", "settled": "OrderSettledEvent",
}

// firsts returns the first occurrence of each message of a topic, by order. A
// repetition must be equal to the byte.
func firsts(e *evidence.Evidence, topic string, r *report) map[string][]evidence.Record {
	byID, byOrder := map[string]evidence.Record{}, map[string][]evidence.Record{}
	for _, record := range onTopic(e, topic) {
		if record.Key != record.Subject {
			r.add(record.Subject, "%s at %s/%d/%d has the key %q", record.Type, topic, record.Partition, record.Offset, record.Key)
		}
		first, again := byID[record.ID]
		if !again {
			byID[record.ID] = record
			byOrder[record.Subject] = append(byOrder[record.Subject], record)
			continue
		}
		if first.Type != record.Type || first.Subject != record.Subject || !bytes.Equal(first.Data, record.Data) ||
			first.Partition != record.Partition {
			r.add(record.Subject, "message %s is repeated differently on %s", record.ID, topic)
		}
	}
	return byOrder
}

func ordersTopic(e *evidence.Evidence, r *report) {
	byOrder := firsts(e, contract.TopicOrders, r)
	for _, id := range sorted(e.Orders) {
		records, changes := byOrder[id], e.Timeline[id]
		if len(records) != len(changes) {
			r.add(id, "%d events on the topic, %d in the timeline", len(records), len(changes))
			continue
		}
		for i, record := range records {
			sameEvent(id, record, changes[i], r)
		}
		if n := len(changes); n > 0 {
			sameEnd(e.Orders[id], changes, r)
		}
	}
}

func sameEvent(id string, record evidence.Record, c evidence.Change, r *report) {
	var data struct {
		Version int    `json:"version"`
		Reason  string `json:"reason"`
	}
	if err := json.Unmarshal(record.Data, &data); err != nil {
		r.add(id, "%s is no JSON", record.Type)
		return
	}
	if record.Type != eventTypes[c.Event] || data.Version != c.Version || data.Reason != "" && data.Reason != c.Reason {
		r.add(id, "%s of version %d (%s) on the topic, %s of version %d (%s) in the timeline",
			record.Type, data.Version, data.Reason, c.Event, c.Version, c.Reason)
	}
}

// sameEnd compares the row with the last change that decided it.
func sameEnd(o evidence.Order, changes []evidence.Change, r *report) {
	last := changes[len(changes)-1]
	if o.Settled != (last.Event == "settled") {
		r.add(o.ID, "settled is %v and the last event is %s", o.Settled, last.Event)
	}
	if last.Event == "settled" && len(changes) > 1 {
		last = changes[len(changes)-2]
	}
	if o.Settled && (last.Event != o.State || last.Event == "cancelled" && last.Reason != o.Reason) {
		r.add(o.ID, "the row is %s %s and the events end %s %s", o.State, o.Reason, last.Event, last.Reason)
	}
}

// factsTopics compares each service's topic with its database.
func factsTopics(e *evidence.Evidence, r *report) {
	moved, entered := map[string]string{}, map[string]string{}
	for _, m := range e.Movements {
		if !strings.HasSuffix(moved[m.OrderID], m.Kind+" ") {
			moved[m.OrderID] += m.Kind + " "
		}
	}
	for _, v := range e.Ledger {
		entered[v.OrderID] += v.Kind + " "
	}
	inventory := firsts(e, contract.TopicInventory, r)
	payments := firsts(e, contract.TopicPayments, r)
	shipments := firsts(e, contract.TopicShipments, r)
	for _, id := range sorted(e.Orders) {
		same(id, inventory[id], stockFacts(e.Reservations[id].State, moved[id]), r)
		same(id, payments[id], moneyFacts(e.Payments[id].State, entered[id]), r)
		same(id, shipments[id], parcelFacts(e.Shipments[id].State), r)
		amounts(id, payments[id], e.Payments[id].Amount, r)
	}
}

func same(id string, records []evidence.Record, want string, r *report) {
	var types []string
	for _, record := range records {
		types = append(types, record.Type+reason(record))
	}
	if got := strings.Join(types, " "); got != want {
		r.add(id, "the topic has %q, the database says %q", got, want)
	}
}

func reason(record evidence.Record) string {
	var data struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(record.Data, &data) != nil || data.Reason == "" {
		return ""
	}
	return "{" + data.Reason + "}"
}

// stockFacts says what inventory must have told of an order, by its last state and
// the kinds of its movements.
func stockFacts(state, moves string) string {
	switch {
	case state == "rejected":
		return "StockRejectedEvent"
	case state == "tombstone":
		return "StockReleasedEvent"
	case state == "released" && moves == "":
		return "StockRejectedEvent StockReleasedEvent"
	case moves == "reserve " && state == "reserved":
		return "StockReservedEvent"
	case moves == "reserve release ":
		return "StockReservedEvent StockReleasedEvent"
	case moves == "reserve pick " && state == "picked":
		return "StockReservedEvent StockPickedEvent"
	case moves == "reserve pick take_back ":
		return "StockReservedEvent StockPickedEvent StockReturnedEvent"
	case state == "" && moves == "":
		return ""
	}
	return fmt.Sprintf("nothing legal: %s after %s", state, moves)
}

// moneyFacts says what payment must have told of an order.
func moneyFacts(state, entries string) string {
	switch {
	case state == "declined":
		return "PaymentDeclinedEvent"
	case state == "tombstone":
		return "PaymentVoidedEvent"
	case state == "voided" && entries == "":
		return "PaymentDeclinedEvent PaymentVoidedEvent"
	case entries == "authorize " && state == "authorized":
		return "PaymentAuthorizedEvent"
	case entries == "authorize void ":
		return "PaymentAuthorizedEvent PaymentVoidedEvent"
	case entries == "authorize capture " && state == "captured":
		return "PaymentAuthorizedEvent PaymentCapturedEvent"
	case entries == "authorize capture refund ":
		return "PaymentAuthorizedEvent PaymentCapturedEvent PaymentRefundedEvent"
	case state == "" && entries == "":
		return ""
	}
	return fmt.Sprintf("nothing legal: %s after %s", state, entries)
}

// parcelFacts says what shipping must have told of an order.
func parcelFacts(state string) string {
	switch state {
	case "dispatched":
		return "ShipmentDispatchedEvent"
	case "failed":
		return "ShipmentFailedEvent{carrier}"
	case "cancelled":
		return "ShipmentFailedEvent{cancelled}"
	}
	return ""
}

func amounts(id string, records []evidence.Record, want evidence.Money, r *report) {
	for _, record := range records {
		var data struct {
			Amount *contract.Money `json:"amount"`
		}
		if json.Unmarshal(record.Data, &data) == nil && data.Amount != nil &&
			(data.Amount.AmountMinor != want.Minor || data.Amount.Currency != want.Currency) {
			r.add(id, "%s is about %d %s, the row about %d %s", record.Type,
				data.Amount.AmountMinor, data.Amount.Currency, want.Minor, want.Currency)
		}
	}
}

// stockTopic compares the last level of each product with its row.
func stockTopic(e *evidence.Evidence, r *report) {
	last := map[string]contract.StockLevelChangedEvent{}
	for _, record := range onTopic(e, contract.TopicStock) {
		var level contract.StockLevelChangedEvent
		if err := json.Unmarshal(record.Data, &level); err != nil || level.ProductID != record.Key {
			r.add(record.Key, "the level at %d/%d is not one", record.Partition, record.Offset)
			continue
		}
		if level.Version < last[level.ProductID].Version {
			r.add(record.Key, "version %d comes after version %d", level.Version, last[level.ProductID].Version)
		}
		last[level.ProductID] = level
	}
	for _, id := range sorted(e.Products) {
		p, l := e.Products[id], last[id]
		if l.Version != p.Version || l.Stock != p.Stock || l.Price.AmountMinor != p.Price.Minor {
			r.add(id, "version %d with %d in stock on the topic, version %d with %d in the database",
				l.Version, l.Stock, p.Version, p.Stock)
		}
	}
}
