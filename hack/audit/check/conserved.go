package check

import (
	"maps"

	"parley.sh/hack/audit/evidence"
)

// account is what an order has done to the world, by the books of those who know.
type account struct {
	authorized, captured, voided, refunded []evidence.Money
	parcels                                []evidence.Parcel
	// taken and held are what left the shelf and what is set aside, by product.
	taken, held map[string]int64
}

func accounts(e *evidence.Evidence) map[string]*account {
	all := map[string]*account{}
	of := func(id string) *account {
		if all[id] == nil {
			all[id] = &account{taken: map[string]int64{}, held: map[string]int64{}}
		}
		return all[id]
	}
	for _, m := range e.Provider {
		a := of(m.OrderID)
		switch m.Kind {
		case "authorize":
			a.authorized = append(a.authorized, m.Amount)
		case "capture":
			a.captured = append(a.captured, m.Amount)
		case "void":
			a.voided = append(a.voided, m.Amount)
		case "refund":
			a.refunded = append(a.refunded, m.Amount)
		}
	}
	for _, p := range e.Carrier {
		of(p.OrderID).parcels = append(of(p.OrderID).parcels, p)
	}
	for _, m := range e.Movements {
		a := of(m.OrderID)
		a.taken[m.ProductID] -= m.OnHand
		a.held[m.ProductID] += m.Reserved
	}
	for _, a := range all {
		maps.DeleteFunc(a.taken, zero)
		maps.DeleteFunc(a.held, zero)
	}
	for id := range e.Orders {
		of(id)
	}
	return all
}

func zero(_ string, n int64) bool { return n == 0 }

func total(amounts []evidence.Money) int64 {
	sum := int64(0)
	for _, m := range amounts {
		sum += m.Minor
	}
	return sum
}

// shipped compares every shipped order with the statements and the shelf.
func shipped(e *evidence.Evidence, r *report) {
	all := accounts(e)
	for _, id := range sorted(e.Orders) {
		o, a := e.Orders[id], all[id]
		if o.State != "shipped" {
			continue
		}
		if len(a.authorized) != 1 || len(a.captured) != 1 || a.captured[0] != o.Amount || len(a.voided)+len(a.refunded) > 0 {
			r.add(id, "%d %s were due; the provider's statement has %+v held, %+v taken, %+v let go, %+v given back",
				o.Amount.Minor, o.Amount.Currency, a.authorized, a.captured, a.voided, a.refunded)
		}
		if !maps.Equal(a.taken, ordered(o)) || len(a.held) > 0 {
			r.add(id, "ordered %v, picked %v, still set aside %v", ordered(o), a.taken, a.held)
		}
		if len(a.parcels) != 1 || a.parcels[0].TrackingNumber != o.TrackingNumber {
			r.add(id, "the carrier has the parcels %v, the order %q", a.parcels, o.TrackingNumber)
		}
	}
}

func ordered(o evidence.Order) map[string]int64 {
	items := map[string]int64{}
	for _, item := range o.Items {
		items[item.ProductID] += item.Quantity
	}
	return items
}

// cancelled looks for anything that a cancelled order left behind.
func cancelled(e *evidence.Evidence, r *report) {
	all := accounts(e)
	for _, id := range sorted(e.Orders) {
		a := all[id]
		if e.Orders[id].State != "cancelled" {
			continue
		}
		if total(a.captured) != total(a.refunded) || len(a.captured) > 1 || len(a.refunded) > 1 {
			r.add(id, "%+v taken and %+v given back", a.captured, a.refunded)
		}
		if total(a.authorized) != total(a.captured)+total(a.voided) || len(a.authorized) > 1 {
			r.add(id, "%+v held, %+v taken, %+v let go", a.authorized, a.captured, a.voided)
		}
		if len(a.taken)+len(a.held) > 0 {
			r.add(id, "it still has %v and holds %v", a.taken, a.held)
		}
		if len(a.parcels) > 0 {
			r.add(id, "the carrier has a parcel: %v", a.parcels)
		}
	}
}

// stock compares the counts with the movements, and the movements with the orders.
func stock(e *evidence.Evidence, r *report) {
	onHand, reserved, supplied := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for i, m := range e.Movements {
		onHand[m.ProductID] += m.OnHand
		reserved[m.ProductID] += m.Reserved
		if m.OrderID == "" {
			supplied[m.ProductID] += m.OnHand
		}
		if onHand[m.ProductID] < 0 || reserved[m.ProductID] < 0 {
			r.add(m.ProductID, "below zero at movement %d", i+1)
		}
	}
	sold := map[string]int64{}
	for _, o := range e.Orders {
		if o.State == "shipped" {
			for _, item := range o.Items {
				sold[item.ProductID] += item.Quantity
			}
		}
	}
	for _, id := range sorted(e.Products) {
		p := e.Products[id]
		if p.OnHand != onHand[id] || p.Reserved != reserved[id] {
			r.add(id, "%d on hand and %d reserved, by the movements %d and %d", p.OnHand, p.Reserved, onHand[id], reserved[id])
		}
		if p.OnHand != supplied[id]-sold[id] {
			r.add(id, "%d were supplied and %d sold, %d are on hand", supplied[id], sold[id], p.OnHand)
		}
	}
}

// ledger checks the books in themselves and against the provider's statement.
func ledger(e *evidence.Evidence, r *report) {
	type movement struct{ order, kind string }
	booked, stated := map[movement]evidence.Money{}, map[movement]evidence.Money{}
	whole := map[string]int64{}
	for _, v := range e.Ledger {
		sum, amount := map[string]int64{}, evidence.Money{}
		for _, l := range v.Lines {
			sum[l.Amount.Currency] += l.Amount.Minor
			whole[l.Amount.Currency] += l.Amount.Minor
			if l.Amount.Minor > 0 {
				amount = l.Amount
			}
		}
		if maps.DeleteFunc(sum, zero); len(sum) > 0 || len(v.Lines) != 2 {
			r.add(v.OrderID, "the %s has %d lines that sum to %v", v.Kind, len(v.Lines), sum)
		}
		if _, twice := booked[movement{v.OrderID, v.Kind}]; twice {
			r.add(v.OrderID, "the %s stands twice in the ledger", v.Kind)
		}
		booked[movement{v.OrderID, v.Kind}] = amount
	}
	if maps.DeleteFunc(whole, zero); len(whole) > 0 {
		r.add("-", "the ledger sums to %v", whole)
	}
	for _, m := range e.Provider {
		if _, twice := stated[movement{m.OrderID, m.Kind}]; twice {
			r.add(m.OrderID, "the provider has two movements to %s", m.Kind)
		}
		stated[movement{m.OrderID, m.Kind}] = m.Amount
	}
	for m, amount := range booked {
		if stated[m] != amount {
			r.add(m.order, "the %s is %+v in the ledger and %+v in the provider's statement", m.kind, amount, stated[m])
		}
	}
	for m, amount := range stated {
		if _, ok := booked[m]; !ok {
			r.add(m.order, "the provider has a %s of %+v that the ledger does not", m.kind, amount)
		}
	}
}
