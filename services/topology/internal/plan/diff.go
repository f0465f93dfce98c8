package plan

import (
	"cmp"
	"slices"
	"strings"
)

// Diff returns the steps that make a broker equal to what is desired. It changes
// neither world. Its order does not depend on the order of what is desired.
func Diff(want Desired, have Observed) Plan {
	d := newDiffer(want, have)
	d.topics()
	d.exchanges()
	d.policies()
	d.queues()
	d.bindings()
	d.leftovers()
	return d.plan()
}

// phase is a place in the order of steps.
type phase uint8

const (
	phaseTopic phase = iota
	phaseExchangePolicy
	phaseExchange
	phaseBehind        // queues that a queue needs behind it
	phaseBehindBinding // and their bindings
	phasePolicy
	phaseQueue
	phaseBinding
	phaseUnbind
	phaseLeftoverPolicy
	phaseLeftover
	phaseLast // what leftovers hang on
)

type draft struct {
	Step
	phase phase
	// needs are objects; the steps of this plan that make or change them become
	// the step's After.
	needs []ID
}

type differ struct {
	want Desired
	have Observed
	// wanted are the objects of the desired world, topics by their names.
	wanted map[ID]bool
	topic  map[string]*WantTopic
	vhosts map[string]*index
	steps  []draft
	// index are the places of steps.
	index map[Key]int
	// additions are the bindings that are made, by destination.
	additions map[ID][]ID
}

func newDiffer(want Desired, have Observed) *differ {
	d := &differ{
		want: want, have: have, wanted: map[ID]bool{}, topic: map[string]*WantTopic{}, vhosts: map[string]*index{},
		index: map[Key]int{}, additions: map[ID][]ID{},
	}
	for i := range want.Topics {
		d.topic[want.Topics[i].Name] = &want.Topics[i]
	}
	for i := range want.Exchanges {
		d.wanted[want.Exchanges[i].ID()] = true
	}
	for i := range want.Policies {
		d.wanted[want.Policies[i].ID()] = true
	}
	for i := range want.Queues {
		d.wanted[want.Queues[i].ID()] = true
	}
	for i := range want.Bindings {
		d.wanted[want.Bindings[i].ID()] = true
	}
	for name, v := range have.Vhosts {
		d.vhosts[name] = newIndex(v)
	}
	return d
}

func (d *differ) add(p phase, s Step, needs ...ID) {
	slices.SortStableFunc(s.Fields, func(a, b Field) int { return cmp.Compare(a.Path, b.Path) })
	d.index[s.Key] = len(d.steps)
	d.steps = append(d.steps, draft{s, p, needs})
}

func (d *differ) plan() Plan {
	slices.SortStableFunc(d.steps, func(a, b draft) int {
		return cmp.Or(
			cmp.Compare(a.phase, b.phase),
			strings.Compare(a.ID.Vhost, b.ID.Vhost),
			strings.Compare(a.ID.Name, b.ID.Name),
			strings.Compare(string(a.ID.Kind), string(b.ID.Kind)),
			cmp.Compare(opOrder[a.Op], opOrder[b.Op]),
		)
	})
	out := make([]Step, len(d.steps))
	for i := range d.steps {
		out[i] = d.steps[i].Step
		for _, id := range d.steps[i].needs {
			out[i].After = append(out[i].After, d.makes(id, out[i].Key)...)
		}
	}
	return Plan{Steps: out}
}

// opOrder: a replaced queue is deleted, then created.
var opOrder = map[Op]int{Delete: 0, Create: 1, Update: 2, Grow: 3}

// makes lists the steps after which id is as it should be, but for the step self.
func (d *differ) makes(id ID, self Key) []Key {
	var out []Key
	for _, op := range []Op{Delete, Create, Update} {
		k := Key{op, id}
		if _, ok := d.index[k]; ok && k != self && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// vhost is a vhost as it is; an empty one and false if it is not there.
func (d *differ) vhost(name string) (*index, bool) {
	if x := d.vhosts[name]; x != nil {
		return x, true
	}
	return &index{Vhost: &Vhost{}}, false
}

// making is a step that makes an object.
func making(owner Owner, o Object, fields []Field) Step {
	return Step{Key: Key{Create, o.ID()}, Owner: owner.Name, Fields: fields, Object: o}
}

// create adds a step that makes an object, blocked if its vhost is not there.
func (d *differ) create(p phase, s Step, needs ...ID) *draft {
	if s.ID.Kind != KindTopic {
		if _, ok := d.vhost(s.ID.Vhost); !ok {
			s.raise(Blocked, "vhost "+label(s.ID.Vhost)+" is not there; it is never made from here: "+
				"make it (rabbitmqctl add_vhost) or correct spec.vhost")
		}
	}
	d.add(p, s, needs...)
	return &d.steps[len(d.steps)-1]
}

// change adds a step that changes or deletes what is there, blocked if its owner
// may not touch it.
func (d *differ) change(p phase, owner Owner, s Step, needs ...ID) {
	s.Owner = owner.Name
	if owner.Untouchable {
		s.raise(Blocked, "it is there already, it differs, and adoptionPolicy is Never: "+
			"set Adopt to change it, or make the manifest equal to it")
	}
	d.add(p, s, needs...)
}

// planned reports whether the plan makes id.
func (d *differ) planned(op Op, id ID) bool {
	_, ok := d.index[Key{op, id}]
	return ok
}
