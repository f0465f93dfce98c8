package rabbit

import (
	"context"
	"fmt"
	"net/http"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/plan"
)

// Observe implements broker.Session. A vhost that is not there is not in the
// answer.
func (s *Session) Observe(ctx context.Context, want plan.Desired) (plan.Observed, error) {
	out := plan.Observed{Vhosts: map[string]*plan.Vhost{}}
	for name := range vhosts(want) {
		v, err := s.vhost(ctx, name)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return plan.Observed{}, fmt.Errorf("observe vhost %q: %w", name, err)
		}
		out.Vhosts[name] = v
	}
	if len(out.Vhosts) == 0 {
		// Nothing was asked, or no vhost is there: the broker must be.
		return out, s.do(ctx, call{method: http.MethodGet, path: []string{"whoami"}})
	}
	return out, nil
}

func vhosts(want plan.Desired) map[string]bool {
	out := map[string]bool{}
	for i := range want.Exchanges {
		out[want.Exchanges[i].Vhost] = true
	}
	for i := range want.Queues {
		out[want.Queues[i].Vhost] = true
	}
	return out
}

type queueJSON struct {
	Name       string         `json:"name,omitempty"`
	Type       string         `json:"type,omitempty"`
	Durable    bool           `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Arguments  map[string]any `json:"arguments"`
	Policy     string         `json:"policy,omitempty"`
}

type exchangeJSON struct {
	Name       string         `json:"name,omitempty"`
	Type       string         `json:"type"`
	Durable    bool           `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Internal   bool           `json:"internal"`
	Arguments  map[string]any `json:"arguments"`
}

type bindingJSON struct {
	Source          string         `json:"source,omitempty"`
	Destination     string         `json:"destination,omitempty"`
	DestinationType string         `json:"destination_type,omitempty"`
	RoutingKey      string         `json:"routing_key"`
	Arguments       map[string]any `json:"arguments"`
	PropertiesKey   string         `json:"properties_key,omitempty"`
}

type policyJSON struct {
	Name       string         `json:"name,omitempty"`
	Pattern    string         `json:"pattern"`
	ApplyTo    string         `json:"apply-to"`
	Priority   int64          `json:"priority"`
	Definition map[string]any `json:"definition"`
}

// lists are what a vhost holds.
type lists struct {
	queues    []queueJSON
	exchanges []exchangeJSON
	bindings  []bindingJSON
	policies  []policyJSON
}

func (s *Session) vhost(ctx context.Context, name string) (*plan.Vhost, error) {
	var all lists
	for _, list := range []struct {
		kind string
		out  any
	}{{"policies", &all.policies}, {"exchanges", &all.exchanges}, {"queues", &all.queues}, {"bindings", &all.bindings}} {
		c := call{method: http.MethodGet, path: []string{list.kind, name}, query: "disable_stats=true", out: list.out}
		if err := s.do(ctx, c); err != nil {
			return nil, err
		}
	}
	return all.vhost(name), nil
}

func (l *lists) vhost(name string) *plan.Vhost {
	v := &plan.Vhost{
		Exchanges: map[string]plan.Exchange{},
		Queues:    map[string]plan.QueueState{},
		Policies:  map[string]plan.Policy{},
	}
	for _, q := range l.queues {
		v.Queues[q.Name] = plan.QueueState{Queue: q.queue(name), Policy: q.Policy}
	}
	for _, e := range l.exchanges {
		v.Exchanges[e.Name] = e.exchange(name)
	}
	for _, p := range l.policies {
		v.Policies[p.Name] = p.policy(name)
	}
	for _, b := range l.bindings {
		v.Bindings = append(v.Bindings, b.binding(name))
	}
	return v
}

func (q queueJSON) queue(vhost string) plan.Queue {
	args := q.Arguments
	if args == nil {
		args = map[string]any{}
	}
	if _, told := args["x-queue-type"]; !told && q.Type != "" {
		args["x-queue-type"] = q.Type
	}
	return plan.Queue{Vhost: vhost, Name: q.Name, Durable: q.Durable, AutoDelete: q.AutoDelete, Arguments: args}
}

func (e exchangeJSON) exchange(vhost string) plan.Exchange {
	return plan.Exchange{
		Vhost: vhost, Name: e.Name, Type: e.Type,
		Durable: e.Durable, AutoDelete: e.AutoDelete, Internal: e.Internal, Arguments: e.Arguments,
	}
}

func (p policyJSON) policy(vhost string) plan.Policy {
	return plan.Policy{
		Vhost: vhost, Name: p.Name, Pattern: p.Pattern, ApplyTo: p.ApplyTo, Priority: p.Priority,
		Definition: p.Definition,
	}
}

func (b bindingJSON) binding(vhost string) plan.Binding {
	return plan.Binding{
		Vhost: vhost, Source: b.Source, Destination: b.Destination, DestinationKind: plan.Kind(b.DestinationType),
		RoutingKey: b.RoutingKey, Arguments: b.Arguments,
	}
}
