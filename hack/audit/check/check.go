// Package check holds what the platform promises, as functions over evidence. Each
// can fail, and a test makes each fail.
package check

import (
	"fmt"
	"maps"
	"slices"

	"parley.sh/hack/audit/evidence"
)

// Violation is one broken promise.
type Violation struct {
	Check string
	// ID is the order, product or place that it is about.
	ID   string
	What string
}

// String implements fmt.Stringer.
func (v Violation) String() string { return fmt.Sprintf("%s: %s: %s", v.Check, v.ID, v.What) }

// Check is one promise.
type Check struct {
	// Name is short; Promise says it in words.
	Name, Promise string
	run           func(*evidence.Evidence, *report)
}

// Run returns every violation of the promise.
func (c Check) Run(e *evidence.Evidence) []Violation {
	r := &report{check: c.Name}
	c.run(e, r)
	return r.violations
}

// All lists the promises.
func All() []Check {
	return []Check{
		{"rest", "everything came to rest in time", atRest},
		{"accepted", "every accepted order is there, once per key", accepted},
		{"known", "no row, record or statement is about an unknown order", known},
		{"outcome", "every order ended in a way that its means of payment and its address allow", outcome},
		{"timeline", "every order went one of the five legal ways", timeline},
		{"orders topic", "the topic Orders holds each event of each order, in order, and ends as the row does", ordersTopic},
		{"facts topics", "the topics of inventory, payment and shipping hold each fact of their databases, once", factsTopics},
		{"stock topic", "the last level of each product on the topic is that of the database", stockTopic},
		{"shipped", "a shipped order was captured and picked exactly and has one parcel", shipped},
		{"cancelled", "a cancelled order holds no money and no stock and has no parcel", cancelled},
		{"stock", "stock is conserved over all movements", stock},
		{"ledger", "every entry of the ledger sums to zero and stands in the provider's statement", ledger},
		{"dead letters", "nothing lies in a dead-letter place that was not put there on purpose", deadLetters},
	}
}

type report struct {
	check      string
	violations []Violation
}

func (r *report) add(id, format string, args ...any) {
	r.violations = append(r.violations, Violation{r.check, id, fmt.Sprintf(format, args...)})
}

// sorted returns the keys of m in order, so that two audits of one run read alike.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func atRest(e *evidence.Evidence, r *report) {
	for _, what := range e.Unrest {
		r.add("-", "%s", what)
	}
	for _, id := range sorted(e.Orders) {
		if !e.Orders[id].Settled {
			r.add(id, "not settled: %s", e.Orders[id].State)
		}
	}
}

// deadLetters compares what lies in dead-letter places with the litter of the journal.
func deadLetters(e *evidence.Evidence, r *report) {
	meant := litter(e)
	for _, place := range sorted(e.DeadLetters) {
		if got := e.DeadLetters[place]; got != meant[place] {
			r.add(place, "%d messages, %d of them on purpose", got, meant[place])
		}
	}
	for _, service := range sorted(e.Refused) {
		if n := e.Refused[service]; n > 0 {
			r.add(service, "%d messages set aside by its outbox", n)
		}
	}
}
