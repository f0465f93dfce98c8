package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with an object.
type Problem struct {
	// Field is the path, such as "spec.retry.delays[2]".
	Field string
	// Rule is what is wrong and what would be right.
	Rule string
}

// problems collects what is wrong.
type problems struct{ list []Problem }

func (p *problems) add(field, format string, args ...any) {
	p.list = append(p.list, Problem{field, fmt.Sprintf(format, args...)})
}

// when adds the problem if it is one.
func (p *problems) when(wrong bool, field, format string, args ...any) {
	if wrong {
		p.add(field, format, args...)
	}
}

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelName  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	configKey  = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)
)

const maxName = 255 // bytes of any name on RabbitMQ: an AMQP short string

func (p *problems) meta(o Object) {
	m := o.Meta()
	p.when(!objectName.MatchString(m.Name) || len(m.Name) > 253, "metadata.name",
		"is %q; it must be lower-case letters, digits, \"-\" and \".\", at most 253 (the name on the broker goes to spec.name)",
		brief(m.Name))
	p.when(m.Namespace != "" && (!labelName.MatchString(m.Namespace) || len(m.Namespace) > 63), "metadata.namespace",
		"is %q; it must be lower-case letters, digits and \"-\", at most 63", brief(m.Namespace))
}

func (p *problems) brokerRef(r BrokerRef, kinds ...string) {
	p.when(!slices.Contains(kinds, r.Kind), "spec.brokerRef.kind",
		"is %q; it must be %s", brief(r.Kind), anyOf(kinds))
	p.when(!objectName.MatchString(r.Name) || len(r.Name) > 253, "spec.brokerRef.name",
		"is %q; it must name a resource: lower-case letters, digits, \"-\" and \".\"", brief(r.Name))
	p.when(r.Namespace != "" && (!labelName.MatchString(r.Namespace) || len(r.Namespace) > 63),
		"spec.brokerRef.namespace", "is %q; it must be lower-case letters, digits and \"-\", at most 63", brief(r.Namespace))
	p.when(r.Listener != "" && r.Kind != BrokerKafka, "spec.brokerRef.listener",
		"is set; only a %s has listeners: leave it out", BrokerKafka)
}

func (p *problems) lifecycle(l Lifecycle) {
	p.enum("spec.deletionPolicy", string(l.DeletionPolicy), string(Retain), string(DeleteIfEmpty), string(Delete))
	p.enum("spec.adoptionPolicy", string(l.AdoptionPolicy), string(Adopt), string(IfEqual), string(Never))
	p.enum("spec.driftPolicy", string(l.DriftPolicy), string(Correct), string(Report), string(Ignore))
}

// enum accepts the empty text: it means the default.
func (p *problems) enum(field, value string, allowed ...string) {
	p.when(value != "" && !slices.Contains(allowed, value), field, "is %q; it must be %s", brief(value), anyOf(allowed))
}

// amqpName checks a name of RabbitMQ that this object makes, with the bytes that
// generated names add to it.
func (p *problems) amqpName(field, name string, suffix int) {
	p.text(field, name)
	p.when(strings.HasPrefix(name, "amq."), field, "begins with \"amq.\", which the broker keeps for itself: choose another name")
	p.when(len(name)+suffix > maxName, field,
		"has %d bytes, and generated names add %d; together they may be %d: shorten it", len(name), suffix, maxName)
}

// text checks any text that goes to RabbitMQ as a name.
func (p *problems) text(field, s string) {
	p.when(!utf8.ValidString(s) || strings.ContainsFunc(s, control), field,
		"is %q; it must be UTF-8 without control characters", brief(s))
	p.when(len(s) > maxName, field, "has %d bytes; it may have %d", len(s), maxName)
}

func control(r rune) bool { return r < 0x20 || r == 0x7f || r == '\u2028' || r == '\u2029' }

func (p *problems) arguments(field string, args map[string]Argument, limit int) {
	p.when(len(args) > limit, field, "has %d entries; it may have %d", len(args), limit)
	for _, key := range sortedKeys(args) {
		p.when(key == "", field, "has an empty key: name the argument")
		p.text(field+"["+brief(key)+"]", key)
		s, _ := args[key].Value().(string)
		p.when(len(s) > 1024, field+"["+brief(key)+"]", "has %d bytes; it may have 1024", len(s))
		p.when(!utf8.ValidString(s), field+"["+brief(key)+"]", "must be UTF-8")
	}
}

func (p *problems) bindings(list []Binding) {
	p.when(len(list) > 128, "spec.bindings", "has %d entries; it may have 128", len(list))
	seen := map[string]int{}
	for i := range list {
		field := fmt.Sprintf("spec.bindings[%d]", i)
		p.binding(field, &list[i])
		for _, key := range list[i].Keys() {
			id := fmt.Sprintf("%q %q %v", list[i].Exchange, key, list[i].Arguments)
			first, again := seen[id]
			p.when(again, field+".routingKeys", "names %q again, after spec.bindings[%d]: leave one out", brief(string(key)), first)
			seen[id] = i
		}
	}
}

func (p *problems) binding(field string, b *Binding) {
	p.when(b.Exchange == "", field+".exchange",
		"is empty; the default exchange reaches every queue by its name already: name another")
	p.text(field+".exchange", b.Exchange)
	p.when(len(b.RoutingKeys) > 64, field+".routingKeys", "has %d entries; it may have 64", len(b.RoutingKeys))
	for j, key := range b.RoutingKeys {
		p.text(fmt.Sprintf("%s.routingKeys[%d]", field, j), string(key))
	}
	p.arguments(field+".arguments", b.Arguments, 32)
}

// Keys are the routing keys of b's bindings, one binding each: the empty key if
// b lists none.
func (b *Binding) Keys() []RoutingKey {
	if len(b.RoutingKeys) == 0 {
		return []RoutingKey{""}
	}
	return b.RoutingKeys
}

func (p *problems) names(field string, list []string, limit int) {
	p.when(len(list) > limit, field, "has %d entries; it may have %d", len(list), limit)
	for i, name := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		p.when(name == "", at, "is empty: name it or leave it out")
		p.text(at, name)
		p.when(slices.Contains(list[:i], name), at, "names %q again: leave one out", brief(name))
	}
}

// brief cuts what a message quotes from a manifest.
func brief(s string) string {
	const limit = 64
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "..."
}

func anyOf(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
