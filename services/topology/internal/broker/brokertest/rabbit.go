package brokertest

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// Vhost returns an empty vhost.
func Vhost() *plan.Vhost {
	return &plan.Vhost{
		Exchanges: map[string]plan.Exchange{},
		Queues:    map[string]plan.QueueState{},
		Policies:  map[string]plan.Policy{},
	}
}

// put makes or changes an object. What cannot be changed is refused.
func put(v *plan.Vhost, s plan.Step) error {
	switch o := s.Object.(type) {
	case *plan.Exchange:
		if have, there := v.Exchanges[o.Name]; there && !reflect.DeepEqual(have, *o) {
			return fault.New(fault.Invalid, "inequivalent arg")
		}
		v.Exchanges[o.Name] = *o
	case *plan.Queue:
		if have, there := v.Queues[o.Name]; there && !reflect.DeepEqual(have.Queue, *o) {
			return fault.New(fault.Invalid, "inequivalent arg")
		}
		v.Queues[o.Name] = plan.QueueState{Queue: *o}
	case *plan.Policy:
		v.Policies[o.Name] = *o
	case *plan.Binding:
		return bind(v, o)
	}
	return nil
}

func bind(v *plan.Vhost, b *plan.Binding) error {
	_, source := v.Exchanges[b.Source]
	_, queue := v.Queues[b.Destination]
	_, exchange := v.Exchanges[b.Destination]
	if (!source && !strings.HasPrefix(b.Source, "amq.")) ||
		(b.DestinationKind == plan.KindQueue && !queue) || (b.DestinationKind == plan.KindExchange && !exchange) {
		return fault.New(fault.NotFound, "no such exchange or queue")
	}
	if !slices.ContainsFunc(v.Bindings, func(x plan.Binding) bool { return x.ID() == b.ID() }) {
		v.Bindings = append(v.Bindings, *b)
	}
	return nil
}

// remove deletes an object and what goes with it.
func (w *World) remove(v *plan.Vhost, s plan.Step) error {
	switch o := s.Object.(type) {
	case *plan.Queue:
		if s.OnlyIfEmpty && w.Messages[s.ID] > 0 {
			return fault.New(fault.Invalid, "it is not empty")
		}
		delete(v.Queues, o.Name)
	case *plan.Exchange:
		delete(v.Exchanges, o.Name)
	case *plan.Policy:
		delete(v.Policies, o.Name)
	}
	v.Bindings = slices.DeleteFunc(v.Bindings, func(b plan.Binding) bool {
		to := plan.ID{Kind: b.DestinationKind, Vhost: b.Vhost, Name: b.Destination}
		from := plan.ID{Kind: plan.KindExchange, Vhost: b.Vhost, Name: b.Source}
		return s.ID == b.ID() || s.ID == to || s.ID == from
	})
	return nil
}

// apply works out which policy applies to each queue.
func apply(v *plan.Vhost) {
	for name, q := range v.Queues {
		q.Policy = ""
		best := int64(-1 << 62)
		for _, key := range slices.Sorted(maps.Keys(v.Policies)) {
			p := v.Policies[key]
			if p.Priority > best && scope(p, q.Queue) && regexp.MustCompile(p.Pattern).MatchString(name) {
				q.Policy, best = p.Name, p.Priority
			}
		}
		v.Queues[name] = q
	}
}

func scope(p plan.Policy, q plan.Queue) bool {
	kind := map[any]string{"quorum": "quorum_queues", "classic": "classic_queues", "stream": "streams"}[q.Arguments["x-queue-type"]]
	return slices.Contains([]string{"all", "queues", kind}, p.ApplyTo)
}

// Copy returns a copy that shares nothing that a plan or a World changes.
func Copy(o plan.Observed) plan.Observed {
	out := plan.Observed{Defaults: o.Defaults, Topics: map[string]plan.TopicState{}, Vhosts: map[string]*plan.Vhost{}}
	for name, t := range o.Topics {
		t.Config = maps.Clone(t.Config)
		out.Topics[name] = t
	}
	for name, v := range o.Vhosts {
		out.Vhosts[name] = &plan.Vhost{
			Exchanges: maps.Clone(v.Exchanges), Queues: maps.Clone(v.Queues),
			Policies: maps.Clone(v.Policies), Bindings: slices.Clone(v.Bindings),
		}
	}
	return out
}
