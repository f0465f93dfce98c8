package main

import (
	"fmt"
	"math/rand/v2"

	"parley.sh/hack/load/journal"
)

// plan is one order that is to be placed.
type plan struct {
	journal.Line
	// placing and placed say that the journal has the request and its answer already.
	placing, placed bool
}

// weights is the mix of plans, in percent.
var weights = []struct {
	plan   journal.Plan
	weight int
}{
	{journal.Good, 58},
	{journal.Declined, 6},
	{journal.Flaky, 6},
	{journal.Slow, 3},
	{journal.Late, 3},
	{journal.Scarce, 4},
	{journal.SoldOut, 3},
	{journal.CarrierFails, 4},
	{journal.CancelledSoon, 5},
	{journal.CancelledLate, 5},
	{journal.Repeated, 3},
}

// planner makes orders from a seed.
type planner struct {
	seed   uint64
	good   bool
	random *rand.Rand
	next   int
}

func newPlanner(seed uint64, good bool) *planner {
	return &planner{seed: seed, good: good, random: rand.New(rand.NewPCG(seed, 1))}
}

// customers is how many customers the orders are spread over.
const customers = 40

func (p *planner) plan() plan {
	p.next++
	l := journal.Line{
		Kind: journal.Placing, Plan: p.choose(),
		Key:      fmt.Sprintf("load-%d-%d", p.seed, p.next),
		Customer: fmt.Sprintf("load-%d", p.random.IntN(customers)),
		Level:    []string{"express", "standard"}[p.random.IntN(2)],
		Address:  fmt.Sprintf("%d Harbour Street", 1+p.random.IntN(200)),
		Token:    "tok_ok",
		Items:    p.items(),
	}
	switch l.Plan {
	case journal.Declined:
		l.Token = "tok_declined"
	case journal.Flaky, journal.Slow, journal.Late:
		p.trouble(&l)
	case journal.Scarce:
		l.Items = []journal.Item{{ProductID: "123", Quantity: 1 + p.random.Int64N(2)}}
	case journal.SoldOut:
		l.Items[0].ProductID = fmt.Sprintf("gone-%d", 1+p.random.IntN(3))
	case journal.CarrierFails:
		l.Address += " tok_declined"
	case journal.Good, journal.CancelledSoon, journal.CancelledLate, journal.Repeated:
	}
	return plan{Line: l}
}

func (p *planner) choose() journal.Plan {
	if p.good {
		return journal.Good
	}
	n := p.random.IntN(100)
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.plan
		}
	}
	return journal.Good
}

// items picks one to three of the products that there is plenty of.
func (p *planner) items() []journal.Item {
	var items []journal.Item
	for _, i := range p.random.Perm(40)[:1+p.random.IntN(3)] {
		items = append(items, journal.Item{
			ProductID: fmt.Sprintf("bulk-%03d", i+1), Quantity: 1 + p.random.Int64N(3),
		})
	}
	return items
}

// trouble aims a plan's token at a call to the provider or at the carrier.
func (p *planner) trouble(l *journal.Line) {
	token := "tok_" + string(l.Plan)
	switch p.random.IntN(3) {
	case 0:
		l.Token = token
	case 1:
		l.Token = token + "_capture"
	default:
		l.Address += " " + token
	}
}

// resume makes the plans of a run: what the journal has and no answer to, under the
// same keys, and new ones up to the number of orders.
func resume(lines []journal.Line, p *planner, orders int) []plan {
	byKey := map[string]int{}
	var plans []plan
	for _, l := range lines {
		switch l.Kind {
		case journal.Placing:
			byKey[l.Key] = len(plans)
			plans = append(plans, plan{Line: l, placing: true})
		case journal.Placed:
			if i, ok := byKey[l.Key]; ok {
				plans[i].placed = true
				plans[i].OrderID, plans[i].Status = l.OrderID, l.Status
			}
		case journal.Cancelling, journal.Cancelled, journal.Littering:
		}
	}
	for len(plans) < orders {
		plans = append(plans, p.plan())
	}
	return plans
}
