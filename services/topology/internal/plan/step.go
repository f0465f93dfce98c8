package plan

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Op is what a step does.
type Op string

// The operations.
const (
	// Create makes an object.
	Create Op = "create"
	// Update changes it in place.
	Update Op = "update"
	// Grow adds partitions to a topic.
	Grow Op = "grow"
	// Delete deletes it.
	Delete Op = "delete"
)

// Risk says what a step may cost. Risks are ordered: a greater one is worse.
type Risk uint8

// The risks.
const (
	// Safe loses nothing and stops nobody.
	Safe Risk = iota
	// Disruptive can stop clients or change what they see; data stays.
	Disruptive
	// Destructive can lose data.
	Destructive
	// Blocked cannot or must not be done.
	Blocked
)

var riskNames = [...]string{"safe", "disruptive", "destructive", "blocked"}

// String is the name of the risk.
func (r Risk) String() string { return riskNames[min(int(r), len(riskNames)-1)] }

// MarshalText implements encoding.TextMarshaler.
func (r Risk) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseRisk returns the risk of that name.
func ParseRisk(s string) (Risk, error) {
	for i, name := range riskNames {
		if s == name {
			return Risk(i), nil
		}
	}
	return Blocked, fmt.Errorf("unknown risk %q: it is safe, disruptive or destructive", s)
}

// Field is one difference: what is and what should be. An empty text is nothing.
type Field struct {
	Path string `json:"path"`
	Have string `json:"have"`
	Want string `json:"want"`
}

// ConfigKey is the key of a topic's config that the field is about, if it is.
func (f Field) ConfigKey() (string, bool) { return strings.CutPrefix(f.Path, "config.") }

// Key names a step of a plan: no plan does the same to the same object twice.
type Key struct {
	Op Op `json:"op"`
	ID ID `json:"id"`
}

// String is the operation and the object.
func (k Key) String() string { return string(k.Op) + " " + k.ID.String() }

// Step is one change.
type Step struct {
	Key
	// Owner is the manifest that asks for it.
	Owner string
	// Fields are the differences that it removes, ordered by path.
	Fields []Field
	Risk   Risk
	// Reason says why it is more than safe, or why it is blocked and what to do.
	Reason string
	// After are the steps of this plan that must have been done before.
	After []Key
	// OnlyIfEmpty makes the step look, just before it deletes, that the queue has
	// no message and no consumer.
	OnlyIfEmpty bool
	// Object is the object as it should be; of a Delete, as it is. It is not to be
	// changed.
	Object Object
}

// MarshalJSON implements json.Marshaler.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Op     Op      `json:"op"`
		Kind   Kind    `json:"kind"`
		Vhost  string  `json:"vhost,omitempty"`
		Name   string  `json:"name"`
		Owner  string  `json:"owner"`
		Risk   Risk    `json:"risk"`
		Reason string  `json:"reason,omitempty"`
		Fields []Field `json:"fields"`
		After  []Key   `json:"after,omitempty"`
	}{s.Op, s.ID.Kind, s.ID.Vhost, s.ID.Name, s.Owner, s.Risk, s.Reason, append([]Field{}, s.Fields...), s.After})
}

// raise makes the step at least as risky as r, and adds why.
func (s *Step) raise(r Risk, reason string) {
	s.Risk = max(s.Risk, r)
	if s.Reason != "" {
		s.Reason += "; "
	}
	s.Reason += reason
}

// Plan is the steps that make a broker equal to what is desired, in order.
type Plan struct {
	Steps []Step `json:"steps"`
}

// Empty reports whether nothing is to be done.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Worst is the greatest risk of the plan's steps; Safe for an empty plan.
func (p Plan) Worst() Risk {
	worst := Safe
	for i := range p.Steps {
		worst = max(worst, p.Steps[i].Risk)
	}
	return worst
}

// Block makes the step one that cannot be done, and says why.
func (s *Step) Block(reason string) { s.raise(Blocked, reason) }
