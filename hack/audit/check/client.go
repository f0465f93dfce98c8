package check

import (
	"net/http"
	"slices"

	"parley.sh/hack/audit/evidence"
	"parley.sh/hack/load/journal"
)

// placing is what the client knows of one order.
type placing struct {
	journal.Line
	// orderID is that of the answer, if there was a definite one.
	orderID string
	status  int
	// others are order ids of further answers under the same key.
	others []string
	asked  bool
}

// placings reads the journal by key.
func placings(e *evidence.Evidence) map[evidence.Key]*placing {
	all := map[evidence.Key]*placing{}
	for _, l := range e.Journal {
		key := evidence.Key{Customer: l.Customer, Key: l.Key}
		p := all[key]
		if p == nil && l.Kind != journal.Littering {
			p = &placing{}
			all[key] = p
		}
		switch l.Kind {
		case journal.Placing:
			p.Line = l
		case journal.Placed:
			p.answer(l)
		case journal.Cancelling:
			p.asked = true
		case journal.Cancelled, journal.Littering:
		}
	}
	return all
}

func (p *placing) answer(l journal.Line) {
	p.status = l.Status
	if l.OrderID == "" {
		return
	}
	if p.orderID != "" && p.orderID != l.OrderID {
		p.others = append(p.others, l.OrderID)
		return
	}
	p.orderID = l.OrderID
}

func litter(e *evidence.Evidence) map[string]int {
	places := map[string]int{}
	for _, l := range e.Journal {
		if l.Kind == journal.Littering {
			places[l.Place]++
		}
	}
	return places
}

// onTopic returns the records of a topic but for litter.
func onTopic(e *evidence.Evidence, topic string) []evidence.Record {
	keys := map[string]bool{}
	for _, l := range e.Journal {
		if l.Kind == journal.Littering {
			keys[l.OrderID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(e.Topics[topic]), func(r evidence.Record) bool { return keys[r.Key] })
}

// accepted compares every answer with the rows.
func accepted(e *evidence.Evidence, r *report) {
	orderOf := map[string]evidence.Key{}
	for key, p := range placings(e) {
		id := e.Keys[key]
		switch {
		case p.Kind != journal.Placing:
			r.add(key.Key, "the journal has an answer and no request")
		case len(p.others) > 0:
			r.add(key.Key, "one key was answered with the orders %s and %v", p.orderID, p.others)
		case p.orderID != "" && id != p.orderID:
			r.add(p.orderID, "accepted under key %s, which the database knows as %q", key.Key, id)
		case p.status == http.StatusAccepted && p.orderID == "":
			r.add(key.Key, "accepted without an order")
		case id == "":
			continue
		}
		if o, ok := e.Orders[id]; id != "" && !ok {
			r.add(id, "accepted under key %s and lost", key.Key)
		} else if ok && p.Kind == journal.Placing && !asOrdered(o, p.Line) {
			r.add(id, "the row is not what was ordered under key %s", key.Key)
		}
		if other, twice := orderOf[id]; twice && id != "" {
			r.add(id, "two keys have one order: %s and %s", key.Key, other.Key)
		}
		orderOf[id] = key
	}
}

func asOrdered(o evidence.Order, l journal.Line) bool {
	if len(o.Items) != len(l.Items) || o.Customer != l.Customer {
		return false
	}
	for i, item := range o.Items {
		if item != evidence.Item(l.Items[i]) {
			return false
		}
	}
	return true
}

// end is how an order ended.
type end struct{ state, reason string }

// legalEnds are the ends that a plan allows. A plan says what its sender meant; the
// platform may be later or sooner than a cancellation.
func legalEnds(p *placing) []end {
	sent, late := end{"shipped", ""}, end{"cancelled", "timed_out"}
	asked, empty := end{"cancelled", "customer_request"}, end{"cancelled", "out_of_stock"}
	var ends []end
	switch p.Plan {
	case journal.Good, journal.Flaky, journal.Slow, journal.Late, journal.Repeated:
		ends = []end{sent, late}
	case journal.Declined:
		ends = []end{{"cancelled", "payment_declined"}, late}
	case journal.Scarce, journal.SoldOut:
		ends = []end{sent, empty, late}
	case journal.CarrierFails:
		ends = []end{{"cancelled", "shipping_failed"}, late}
	case journal.CancelledSoon, journal.CancelledLate:
		ends = []end{sent, late}
	}
	if p.asked {
		ends = append(ends, asked)
	}
	return ends
}

// outcome compares every order of the journal with what its plan allows.
func outcome(e *evidence.Evidence, r *report) {
	for key, p := range placings(e) {
		o, ok := e.Orders[e.Keys[key]]
		if !ok || p.Kind != journal.Placing {
			continue
		}
		legal := false
		for _, end := range legalEnds(p) {
			legal = legal || o.State == end.state && o.Reason == end.reason
		}
		if !legal {
			r.add(o.ID, "meant as %s with %s, ended %s %s", p.Plan, p.Token, o.State, o.Reason)
		}
	}
}

// known looks for orders that the order service does not know, everywhere, and for
// orders of the journal's customers that the journal does not know.
func known(e *evidence.Evidence, r *report) {
	seen := func(where, id string) {
		if _, ok := e.Orders[id]; !ok && id != "" {
			r.add(id, "unknown order in %s", where)
		}
	}
	for id := range e.Reservations {
		seen("reservations", id)
	}
	for id := range e.Payments {
		seen("payments", id)
	}
	for id := range e.Shipments {
		seen("shipments", id)
	}
	for _, m := range e.Movements {
		seen("movements of stock", m.OrderID)
	}
	for _, m := range e.Provider {
		seen("the provider's statement", m.OrderID)
	}
	for _, p := range e.Carrier {
		seen("the carrier's statement", p.OrderID)
	}
	for _, topic := range []string{"Orders", "Inventory", "Payments", "Shipments"} {
		for _, record := range onTopic(e, topic) {
			seen("topic "+topic, record.Subject)
		}
	}
	ofJournal(e, r)
}

func ofJournal(e *evidence.Evidence, r *report) {
	all := placings(e)
	customers, orders := map[string]bool{}, map[string]bool{}
	for key := range all {
		customers[key.Customer] = true
		orders[e.Keys[key]] = true
	}
	for _, id := range sorted(e.Orders) {
		if customers[e.Orders[id].Customer] && !orders[id] {
			r.add(id, "an order of %s that nobody placed", e.Orders[id].Customer)
		}
	}
}
