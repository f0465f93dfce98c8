package plan

import (
	"regexp"
	"testing"
)

func TestExactName(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		name string
		ok   bool
	}{
		"^q$":          {"q", true},
		`^a\.b$`:       {"a.b", true},
		`^a\\b$`:       {`a\b`, true},
		"^$":           {"", true},
		"^a.b$":        {"", false},
		"^a|b$":        {"", false},
		"q":            {"", false},
		"^q":           {"", false},
		`^\d$`:         {"", false},
		`^a\$`:         {"", false},
		`^(?i)q$`:      {"", false},
		"^é ü/\\.\\.$": {"é ü/..", true},
	}
	for pattern, want := range tests {
		name, ok := exactName(pattern)
		if ok != want.ok || (ok && name != want.name) {
			t.Errorf("%s: %q, %v", pattern, name, ok)
		}
	}
}

// A pattern that is written for a name is for that name, and reading it as one
// name agrees with matching it.
func FuzzExactName(f *testing.F) {
	for _, s := range []string{"q", "a.b", `\`, "^$", "é", "a\nb"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, name, pattern string) {
		if got, ok := exactName("^" + regexp.QuoteMeta(name) + "$"); !ok || got != name {
			t.Errorf("%q is read as %q, %v", name, got, ok)
		}
		got, ok := exactName(pattern)
		compiled, err := regexp.Compile(pattern)
		if ok && err == nil && !compiled.MatchString(got) {
			t.Errorf("%q is read as the name %q, which it does not match", pattern, got)
		}
	})
}
