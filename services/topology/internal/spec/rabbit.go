package spec

import (
	"regexp"

	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
)

// policyPriority of generated policies is above that of the usual catch-all.
const policyPriority = 100

func (c *compiler) exchange(d manifest.Document, e *v1alpha1.Exchange) {
	s := &e.Spec
	w := plan.WantExchange{
		Exchange: plan.Exchange{
			Vhost: c.vhostOf(s.Vhost), Name: e.ExchangeName(), Type: e.ExchangeType(),
			Durable: s.Durable == nil || *s.Durable, AutoDelete: s.AutoDelete, Internal: s.Internal,
			Arguments: arguments(s.Arguments),
		},
		Owner:     owner(d),
		Unmanaged: s.UnmanagedExchanges,
	}
	if !c.claim(d, w.ID()) {
		return
	}
	w.Policy = c.alternate(d, &w, s.AlternateExchange)
	c.out.Exchanges = append(c.out.Exchanges, w)
	c.bind(w.Owner, w.ID(), s.Bindings)
}

// alternate asks for the policy of an exchange that passes on what no binding
// takes, and returns its ID; zero for none.
func (c *compiler) alternate(d manifest.Document, w *plan.WantExchange, alternate string) plan.ID {
	f := plan.Family{
		Vhost: w.Vhost, Owner: w.Owner, Exchange: w.Name, Keep: keeps(d.Object),
		Policy: v1alpha1.ExchangePolicy(w.Name), Pattern: pattern(w.Name),
	}
	c.out.Families = append(c.out.Families, f)
	if alternate == "" {
		return plan.ID{}
	}
	p := plan.WantPolicy{
		Policy: plan.Policy{
			Vhost: w.Vhost, Name: f.Policy, Pattern: f.Pattern, ApplyTo: "exchanges", Priority: policyPriority,
			Definition: map[string]any{"alternate-exchange": alternate},
		},
		Owner: w.Owner, Target: w.ID(),
	}
	if c.claim(d, p.ID()) {
		c.out.Policies = append(c.out.Policies, p)
	}
	return p.ID()
}

// pattern matches one name and nothing else.
func pattern(name string) string { return "^" + regexp.QuoteMeta(name) + "$" }

func keeps(o v1alpha1.Object) bool { return o.Policies().DeletionPolicy == v1alpha1.Retain }

func (c *compiler) bind(o plan.Owner, to plan.ID, list []v1alpha1.Binding) {
	for i := range list {
		for _, key := range list[i].Keys() {
			c.out.Bindings = append(c.out.Bindings, plan.WantBinding{Owner: o, Binding: plan.Binding{
				Vhost: to.Vhost, Source: list[i].Exchange, Destination: to.Name, DestinationKind: to.Kind,
				RoutingKey: string(key), Arguments: arguments(list[i].Arguments),
			}})
		}
	}
}
