package plan

import (
	"fmt"
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

func (d *differ) policy(w *WantPolicy, vhost *index, there bool, fields []Field) {
	s := Step{Key: Key{Update, w.ID()}, Fields: fields, Object: &w.Policy}
	if vhost.has(w.Target) {
		for _, f := range fields {
			if risk, why := definitionRisk(f, w.Definition); risk > Safe {
				s.raise(risk, why)
			}
		}
	}
	d.alternate(&s, w, vhost)
	if there {
		d.change(w.phase(), w.Owner, s, w.Needs...)
		return
	}
	c := d.create(w.phase(), making(w.Owner, &w.Policy, fields), w.Needs...)
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
func (x *index) rival(w *WantPolicy, there bool) *Policy {
	var found *Policy
	for _, p := range x.policiesFor(w.Target, w.ApplyTo) {
		if p.Name == w.Name || (there && p.Priority < w.Priority) {
			continue
		}
		if found == nil || p.Priority > found.Priority {
			found = p
		}
	}
	return found
}

// dangers are the settings by which a policy makes a queue lose or send away what
// it must keep. A rung and a dead-letter queue have their settings as arguments;
// of two limits the broker takes the lower, so a foreign policy would reach them.
var dangers = []string{
	"message-ttl", "max-length", "max-length-bytes", "overflow", "expires", "delivery-limit",
	"dead-letter-exchange", "dead-letter-routing-key",
}

// danger is a policy that would make a generated queue lose messages.
func (x *index) danger(w *WantQueue) *Policy {
	if !w.Generated {
		return nil
	}
	for _, p := range x.policiesFor(w.ID(), "quorum_queues") {
		if slices.ContainsFunc(dangers, func(key string) bool { return p.Definition[key] != nil }) {
			return p
		}
	}
	return nil
}

func (d *differ) endangered(at phase, w *WantQueue, p *Policy, there bool) {
	s := Step{Key: Key{Create, w.ID()}, Owner: w.Owner.Name, Object: &w.Queue}
	if there {
		s.Op = Update
	}
	s.Fields = []Field{{"effective policy", p.Name, ""}}
	s.raise(Blocked, fmt.Sprintf("policy %s (pattern %s) is for it too, and would make it lose messages: "+
		"narrow the pattern, so that it leaves out what ends in .dlq or has .retry. in its name",
		label(p.Name), label(p.Pattern)))
	d.add(at, s)
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
	d.add(w.phase(), s, w.Needs...)
}

// phase: a policy comes before what it is for, so that it is born with it.
func (w *WantPolicy) phase() phase {
	if w.Target.Kind == KindExchange {
		return phaseExchangePolicy
	}
	return phasePolicy
}

// alternate blocks a policy that passes messages on to an exchange that nobody
// makes: the broker would drop them in silence.
func (d *differ) alternate(s *Step, w *WantPolicy, vhost *index) {
	name, _ := w.Definition["alternate-exchange"].(string)
	id := ID{KindExchange, w.Vhost, name}
	if builtIn(name) || vhost.has(id) || d.wanted[id] {
		return
	}
	s.raise(Blocked, "exchange "+label(name)+" is not there, and no manifest here makes it: "+
		"add its manifest, or correct spec.alternateExchange")
}
