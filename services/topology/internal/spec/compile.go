package spec

import (
	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
)

// Compile returns what the documents, all of one broker, ask of it. Objects
// without a vhost go to the given one. The problems are those that one document
// alone does not show: two that stand for the same object of the broker.
func Compile(documents []manifest.Document, vhost string) (plan.Desired, []manifest.Problem) {
	c := &compiler{vhost: vhost, made: map[plan.ID]manifest.Document{}}
	for _, d := range documents {
		switch o := d.Object.(type) {
		case *v1alpha1.Topic:
			c.topic(d, o)
		case *v1alpha1.Queue:
			c.queue(d, o)
		case *v1alpha1.Exchange:
			c.exchange(d, o)
		}
	}
	c.collisions()
	return c.out, c.problems
}

type compiler struct {
	vhost    string
	out      plan.Desired
	made     map[plan.ID]manifest.Document
	problems []manifest.Problem
}

// suspended objects are compiled too, to find two manifests for one object, but
// ask nothing.
func (c *compiler) claim(d manifest.Document, id plan.ID) bool {
	other, taken := c.made[id]
	if taken {
		c.problems = append(c.problems, d.At("spec.name", "makes "+id.String()+", which "+other.Owner()+
			" ("+other.File+") makes too: name one of them otherwise"))
		return false
	}
	c.made[id] = d
	return !d.Object.Policies().Suspend
}

func owner(d manifest.Document) plan.Owner {
	return plan.Owner{
		Name:        d.Owner(),
		Untouchable: d.Object.Policies().AdoptionPolicy == v1alpha1.Never,
	}
}

func (c *compiler) vhostOf(spec string) string {
	if spec == "" {
		return c.vhost
	}
	return spec
}

func arguments(args map[string]v1alpha1.Argument) map[string]any {
	out := make(map[string]any, len(args))
	for k, v := range args {
		out[k] = v.Value()
	}
	return out
}
