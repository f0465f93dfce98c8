package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

func (d *differ) policies() {
	for i := range d.want.Policies {
		w := &d.want.Policies[i]
		vhost, _ := d.vhost(w.Vhost)
		have, there := vhost.Policies[w.Name]
		fields := policyFields(&have, &w.Policy, !there)
		rival := vhost.rival(w, there)
		if rival != nil {
			d.conflict(w, rival, there, fields)
			continue
		}
		if len(fields) == 0 {
			continue
		}
		d.policy(w, vhost, there, fields)
	}
}

func (d *differ) policy(w *WantPolicy, vhost *Vhost, there bool, fields []Field) {
	s := Step{Key: Key{Update, w.ID()}, Fields: fields, Object: &w.Policy}
	if vhost.has(w.Target) {
		for _, f := range fields {
			if risk, why := definitionRisk(f, w.Definition); risk > Safe {
				s.raise(risk, why)
			}
		}
	}
	if there {
		d.change(phasePolicy, w.Owner, s, w.Needs...)
		return
	}
	c := d.create(phasePolicy, w.Owner, &w.Policy, fields, w.Needs...)
	c.Risk = max(c.Risk, s.Risk)
	c.Reason += s.Reason
	if w.Owner.Untouchable && vhost.has(w.Target) {
		c.raise(Blocked, "its "+w.Target.String()+" is there already and adoptionPolicy is Never: set Adopt to change it")
	}
}

func policyFields(have, want *Policy, fresh bool) []Field {
	fields := differences("definition", have.Definition, want.Definition)
	one := func(path, h, w string) {
		if h != w {
			fields = append(fields, Field{path, h, w})
		}
	}
	one("pattern", have.Pattern, want.Pattern)
	one("apply-to", have.ApplyTo, want.ApplyTo)
	if fresh {
		return append(fields, Field{Path: "priority", Want: strconv.FormatInt(want.Priority, 10)})
	}
	one("priority", strconv.FormatInt(have.Priority, 10), strconv.FormatInt(want.Priority, 10))
	return fields
}

// rival is a foreign policy in the way of w. RabbitMQ applies one policy to an
// object, that of highest priority, and merges nothing: a foreign one of higher or
// equal priority would win over ours, and a lower one would silently cease to
// apply the moment ours is made.
func (v *Vhost) rival(w *WantPolicy, there bool) *Policy {
	var found *Policy
	for _, name := range keys(v.Policies) {
		p := v.Policies[name]
		if name == w.Name || !v.applies(&p, w) || (there && p.Priority < w.Priority) {
			continue
		}
		if found == nil || cmp.Compare(p.Priority, found.Priority) > 0 {
			found = &p
		}
	}
	return found
}

// applies reports whether p is for the target of w. What the broker says about a
// queue that is there comes before our own reading of its patterns.
func (v *Vhost) applies(p *Policy, w *WantPolicy) bool {
	if q, ok := v.Queues[w.Target.Name]; ok && w.Target.Kind == KindQueue && q.Policy == p.Name {
		return true
	}
	scopes := []string{"all", "exchanges"}
	if w.Target.Kind == KindQueue {
		scopes = []string{"all", "queues", w.ApplyTo}
	}
	if !slices.Contains(scopes, p.ApplyTo) {
		return false
	}
	pattern, err := regexp.Compile(p.Pattern)
	return err == nil && pattern.MatchString(w.Target.Name)
}

func (v *Vhost) has(id ID) bool {
	if id.Kind == KindExchange {
		_, ok := v.Exchanges[id.Name]
		return ok
	}
	_, ok := v.Queues[id.Name]
	return ok
}

func (d *differ) conflict(w *WantPolicy, rival *Policy, there bool, fields []Field) {
	op := Create
	if there {
		op = Update
	}
	s := Step{Key: Key{op, w.ID()}, Owner: w.Owner.Name, Object: &w.Policy, Fields: fields}
	s.Fields = append(s.Fields, Field{"effective policy", rival.Name, w.Name})
	s.raise(Blocked, fmt.Sprintf("policy %s (priority %d) is for %s too, and only one policy applies to an object: "+
		"narrow its pattern %s, or set spec.policy to None and put the settings there",
		label(rival.Name), rival.Priority, w.Target, label(rival.Pattern)))
	d.add(phasePolicy, s, w.Needs...)
}
