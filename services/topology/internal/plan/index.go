package plan

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// index is a vhost as it is, prepared for the questions of a Diff: with ten
// thousand objects none of them may look at all others.
type index struct {
	*Vhost
	bound map[ID]bool
	to    map[ID][]*Binding
	from  map[string][]*Binding
	// exact are the policies whose pattern matches one name, by that name; loose are
	// the others. There is a generated policy for each queue, so nearly all are exact.
	exact map[string][]*Policy
	loose []matcher
	// rungs are the names of queues by what stands before their delay.
	rungs map[string][]string
}

type matcher struct {
	policy *Policy
	// pattern is nil if only the broker can read it.
	pattern *regexp.Regexp
}

func newIndex(v *Vhost) *index {
	x := &index{
		Vhost: v, bound: map[ID]bool{}, to: map[ID][]*Binding{}, from: map[string][]*Binding{},
		exact: map[string][]*Policy{}, rungs: map[string][]string{},
	}
	for i := range v.Bindings {
		b := &v.Bindings[i]
		x.bound[b.ID()] = true
		x.to[b.destination()] = append(x.to[b.destination()], b)
		x.from[b.Source] = append(x.from[b.Source], b)
	}
	for _, name := range keys(v.Policies) {
		x.policy(v.Policies[name])
	}
	for _, name := range keys(v.Queues) {
		prefix := name[:strings.LastIndex(name, ".")+1]
		x.rungs[prefix] = append(x.rungs[prefix], name)
	}
	return x
}

func (x *index) policy(p Policy) {
	if name, ok := exactName(p.Pattern); ok {
		x.exact[name] = append(x.exact[name], &p)
		return
	}
	pattern, _ := regexp.Compile(p.Pattern)
	x.loose = append(x.loose, matcher{&p, pattern})
}

var escaped = regexp.MustCompile(`\\(.)`)

// exactName is the one name that a pattern matches, if it is written to match one.
func exactName(pattern string) (string, bool) {
	inner, begins := strings.CutPrefix(pattern, "^")
	inner, ends := strings.CutSuffix(inner, "$")
	name := escaped.ReplaceAllString(inner, "$1")
	return name, begins && ends && regexp.QuoteMeta(name) == inner
}

// policiesFor are the policies that are for the target, by name. The scope is the
// word that policies have for its kind. What the broker says about a queue that is
// there comes before our own reading of its patterns.
func (x *index) policiesFor(target ID, scope string) []*Policy {
	scopes := []string{"all", scope}
	if target.Kind == KindQueue {
		scopes = append(scopes, "queues")
	}
	var out []*Policy
	for _, p := range x.exact[target.Name] {
		if slices.Contains(scopes, p.ApplyTo) {
			out = append(out, p)
		}
	}
	for _, m := range x.loose {
		if m.pattern != nil && slices.Contains(scopes, m.policy.ApplyTo) && m.pattern.MatchString(target.Name) {
			out = append(out, m.policy)
		}
	}
	if p := x.effective(target); p != nil && !slices.ContainsFunc(out, func(q *Policy) bool { return q.Name == p.Name }) {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Policy) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// effective is the policy that the broker says applies to a queue.
func (x *index) effective(target ID) *Policy {
	q, there := x.Queues[target.Name]
	p, known := x.Policies[q.Policy]
	if target.Kind != KindQueue || !there || !known {
		return nil
	}
	return &p
}

func (x *index) has(id ID) bool {
	if id.Kind == KindExchange {
		_, ok := x.Exchanges[id.Name]
		return ok
	}
	_, ok := x.Queues[id.Name]
	return ok
}
