package v1alpha1_test

import (
	"encoding/json"
	"testing"
	"time"

	"parley.sh/services/topology/api/v1alpha1"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := map[v1alpha1.Duration]time.Duration{
		"1ms": time.Millisecond, "1s": time.Second, "90s": 90 * time.Second, "2m": 2 * time.Minute, "24h": 24 * time.Hour,
		"4294967295ms": 4294967295 * time.Millisecond,
	}
	for text, want := range tests {
		if got, ok := text.Parse(); !ok || got != want {
			t.Errorf("%s: %s, %v", text, got, ok)
		}
	}
	for _, text := range []v1alpha1.Duration{"", "0s", "01s", "1", "s", "1d", "1 s", "1s ", "-1s", "1.5s", "1m30s", "4294967296ms", "99999999999999999999s"} {
		if got, ok := text.Parse(); ok || got != 0 || text.Milliseconds() != 0 {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1s", "90m", "0h", "1e3s", "+1s", "18446744073709551617ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := v1alpha1.Duration(s).Parse()
		if !ok {
			return
		}
		if d < time.Millisecond || d.Milliseconds() > 1<<32-1 {
			t.Errorf("%q is %s", s, d)
		}
		if std, err := time.ParseDuration(s); err != nil || std != d {
			t.Errorf("%q is %s here and %s, %v elsewhere", s, d, std, err)
		}
	})
}

func TestArgument(t *testing.T) {
	t.Parallel()
	good := map[string]any{
		`5`: int64(5), `-1`: int64(-1), `9223372036854775807`: int64(9223372036854775807), `"x"`: "x", `""`: "", `"5"`: "5",
	}
	for text, want := range good {
		var a v1alpha1.Argument
		if err := json.Unmarshal([]byte(text), &a); err != nil || a.Value() != want {
			t.Errorf("%s is %v, %v", text, a.Value(), err)
		}
		if out, err := json.Marshal(a); err != nil || string(out) != text {
			t.Errorf("%s becomes %s, %v", text, out, err)
		}
	}
	for _, text := range []string{`true`, `1.5`, `1e3`, `[1]`, `{}`, `9223372036854775808`} {
		var a v1alpha1.Argument
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s is taken for %v", text, a.Value())
		}
	}
	if v1alpha1.Number(5).Equal(v1alpha1.Text("5")) || !v1alpha1.Text("a").Equal(v1alpha1.Text("a")) {
		t.Error("a number is not its text")
	}
}

// The names are what consumers build too: they may never change.
func TestGeneratedNames(t *testing.T) {
	t.Parallel()
	got := [...]string{
		v1alpha1.RetryExchange("Q"), v1alpha1.Rung("Q", "30s"), v1alpha1.DeadLetterQueue("Q"), v1alpha1.QueuePolicy("Q"),
		v1alpha1.ExchangePolicy("E"), v1alpha1.DeadLetterTopic("T", "g"), v1alpha1.KeyDeadLetter,
	}
	want := [...]string{"Q.retry", "Q.retry.30s", "Q.dlq", "Q.policy", "E.exchange.policy", "T.g.dlq", "dlq"}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
