package plan

import (
	"regexp"
	"strings"
)

var rungDelay = regexp.MustCompile(`^[1-9][0-9]*(ms|s|m|h)$`)

// leftovers plans for generated objects that their queue's manifest no longer
// names. They are known by name and by what only a generated one has; a queue among
// them is deleted only while it is empty.
func (d *differ) leftovers() {
	for i := range d.want.Families {
		f := &d.want.Families[i]
		vhost, ok := d.vhost(f.Vhost)
		if f.Keep || !ok {
			continue
		}
		d.leftPolicy(f, vhost)
		d.leftQueues(f, vhost)
		d.leftExchange(f, vhost)
	}
}

func (d *differ) leftPolicy(f *Family, vhost *index) {
	p, there := vhost.Policies[f.Policy]
	if !there || d.wanted[p.ID()] || p.Pattern != f.Pattern {
		return
	}
	s := Step{Key: Key{Delete, p.ID()}, Object: &p}
	s.raise(Disruptive, "the manifest no longer generates it: these settings cease to apply")
	for _, k := range keys(p.Definition) {
		s.Fields = append(s.Fields, Field{Path: "definition." + k, Have: text(p.Definition[k])})
	}
	// What the policy is for may have to change first; if it cannot, the settings
	// stay.
	d.change(phaseLeftoverPolicy, f.Owner, s, ID{KindQueue, f.Vhost, f.Queue}, ID{KindExchange, f.Vhost, f.Exchange})
}

func (d *differ) leftQueues(f *Family, vhost *index) {
	if f.Queue == "" {
		return
	}
	for _, name := range append([]string{f.DeadLetter}, vhost.rungs[f.RungPrefix]...) {
		state, there := vhost.Queues[name]
		q := state.Queue
		if !there || d.wanted[q.ID()] || !f.made(&q) {
			continue
		}
		s := Step{Key: Key{Delete, q.ID()}, Object: &q, OnlyIfEmpty: true}
		s.raise(Destructive, "the manifest no longer names it: it is deleted while it is empty (a rung drains by itself)")
		// The queue's policy leads to the dead-letter queue until it is changed.
		d.change(phaseLeftover, f.Owner, s, ID{KindPolicy, f.Vhost, f.Policy})
	}
}

// made reports whether q is a rung or the dead-letter queue of the family.
func (f *Family) made(q *Queue) bool {
	if q.Name == f.DeadLetter {
		return canonical(q.Arguments["x-delivery-limit"]) == "-1"
	}
	delay, ok := strings.CutPrefix(q.Name, f.RungPrefix)
	return ok && rungDelay.MatchString(delay) && q.Arguments["x-dead-letter-routing-key"] == f.Queue
}

// leftExchange plans to delete a retry exchange that leads nowhere but to
// leftovers.
func (d *differ) leftExchange(f *Family, vhost *index) {
	e, there := vhost.Exchanges[f.RetryExchange]
	if f.Queue == "" || !there || d.wanted[e.ID()] || e.Type != "direct" {
		return
	}
	var needs []ID
	for _, b := range vhost.from[e.Name] {
		if !d.planned(Delete, b.destination()) {
			return
		}
		needs = append(needs, b.destination())
	}
	s := Step{Key: Key{Delete, e.ID()}, Object: &e}
	s.raise(Disruptive, "the manifest no longer names it: consumers that still publish to it are refused")
	d.change(phaseLast, f.Owner, s, needs...)
}
