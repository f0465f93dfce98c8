package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"parley.sh/services/topology/internal/plan"
)

// say writes to a person. Whoever stops reading does not stop what is being done.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// mark is the sign of an operation.
func mark(s *plan.Step) string {
	switch {
	case s.Risk == plan.Blocked:
		return "!"
	case s.Op == plan.Create:
		return "+"
	case s.Op == plan.Delete:
		return "-"
	}
	return "~"
}

// writeStep shows one step: what, how risky, why, and each difference.
func writeStep(w io.Writer, s *plan.Step) {
	say(w, "  %s %-6s %s", mark(s), s.Op, clean(s.ID.String()))
	if s.Risk > plan.Safe {
		say(w, "   %s", strings.ToUpper(s.Risk.String()))
	}
	say(w, "   (%s)\n", clean(s.Owner))
	if s.Reason != "" {
		say(w, "      %s\n", clean(s.Reason))
	}
	for _, f := range s.Fields {
		say(w, "      %s\n", difference(s, f))
	}
}

func difference(s *plan.Step, f plan.Field) string {
	switch {
	case s.Op == plan.Create && f.Have == "":
		return fmt.Sprintf("%s: %s", clean(f.Path), value(f.Want))
	case s.Op == plan.Delete && f.Want == "":
		return fmt.Sprintf("%s: %s", clean(f.Path), value(f.Have))
	}
	return fmt.Sprintf("%s: %s -> %s", clean(f.Path), value(f.Have), value(f.Want))
}

func value(s string) string {
	const limit = 200
	if s == "" {
		return "(none)"
	}
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "..."
	}
	return clean(s)
}

// clean keeps what a broker or a manifest says from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// summary counts steps by what they do.
type summary struct {
	title                           string
	create, change, remove, blocked int
	risky                           map[plan.Risk]int
}

func (s *summary) count(step *plan.Step) {
	switch {
	case step.Risk == plan.Blocked:
		s.blocked++
		return
	case step.Op == plan.Create:
		s.create++
	case step.Op == plan.Delete:
		s.remove++
	default:
		s.change++
	}
	if step.Risk > plan.Safe {
		if s.risky == nil {
			s.risky = map[plan.Risk]int{}
		}
		s.risky[step.Risk]++
	}
}

func (s summary) counts() map[string]int {
	return map[string]int{
		"create": s.create, "change": s.change, "delete": s.remove, "blocked": s.blocked,
		"disruptive": s.risky[plan.Disruptive], "destructive": s.risky[plan.Destructive],
	}
}

// String is one line for people.
func (s summary) String() string {
	text := fmt.Sprintf("%s: %d to create, %d to change, %d to delete, %d blocked", s.title, s.create, s.change, s.remove, s.blocked)
	for _, r := range []plan.Risk{plan.Disruptive, plan.Destructive} {
		if n := s.risky[r]; n > 0 {
			text += fmt.Sprintf("; %d %s: needs --max-risk %[2]s", n, r)
		}
	}
	return text
}
