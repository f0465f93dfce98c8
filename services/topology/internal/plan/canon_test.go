package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonicalSetting(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind SettingType
		in   string
		want string
	}{
		"whole":             {TypeInt, " +0042 ", "42"},
		"negative":          {TypeInt, "-1", "-1"},
		"too large":         {TypeInt, "99999999999999999999", "99999999999999999999"},
		"no number":         {TypeInt, " x ", " x "},
		"fraction":          {TypeFloat, "0.50", "0.5"},
		"exponent":          {TypeFloat, "1e0", "1"},
		"negative zero":     {TypeFloat, "-0.0", "0"},
		"not a number":      {TypeFloat, "NaN", "NaN"},
		"truth":             {TypeBool, " TRUE", "true"},
		"set":               {TypeList, "compact, delete,,compact", "compact,delete"},
		"empty set":         {TypeList, " , ", ""},
		"text stays":        {TypeText, " a ", " a "},
		"unknown untouched": {SettingType(99), "0042", "0042"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := CanonicalSetting(tc.kind, tc.in); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCanonicalValue(t *testing.T) {
	t.Parallel()
	equal := map[string][2]any{
		"whole numbers":  {int64(5), 5.0},
		"decoded":        {json.Number("5"), 5},
		"decoded 5.0":    {json.Number("5.0"), int32(5)},
		"large":          {json.Number("9223372036854775807"), int64(9223372036854775807)},
		"maps":           {map[string]any{"a": 1, "b": []any{2.0}}, map[string]any{"b": []any{int64(2)}, "a": json.Number("1")}},
		"nothing":        {map[string]any{}, map[string]any{}},
		"fractions":      {0.5, json.Number("0.5")},
		"beyond a float": {json.Number("1e999"), json.Number("1e999")},
	}
	for name, pair := range equal {
		if diff := cmp.Diff(canonical(pair[0]), canonical(pair[1])); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	differ := map[string][2]any{
		"text and number": {"5", 5},
		"truth and text":  {true, "true"},
		"large":           {int64(9223372036854775807), int64(9223372036854775806)},
		"nil and empty":   {nil, ""},
	}
	for name, pair := range differ {
		if canonical(pair[0]) == canonical(pair[1]) {
			t.Errorf("%s: both are %s", name, canonical(pair[0]))
		}
	}
}

// What is canonical stays so, and telling values apart does not depend on space
// or order.
func FuzzCanonicalSetting(f *testing.F) {
	for _, s := range []string{"0042", " 1.50", "a,b", "TRUE", "-0", "1e309", "\xff", ",,"} {
		for kind := TypeText; kind <= TypeList; kind++ {
			f.Add(uint8(kind), s)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, s string) {
		k := SettingType(kind)
		once := CanonicalSetting(k, s)
		if twice := CanonicalSetting(k, once); twice != once {
			t.Errorf("%q becomes %q, then %q", s, once, twice)
		}
		if k == TypeText && once != s {
			t.Errorf("text %q becomes %q", s, once)
		}
		if k == TypeInt || k == TypeFloat {
			if padded := CanonicalSetting(k, " "+strings.TrimSpace(s)+"\t"); strings.TrimSpace(padded) != strings.TrimSpace(once) {
				t.Errorf("space changes %q: %q and %q", s, once, padded)
			}
		}
	})
}

func FuzzCanonicalValue(f *testing.F) {
	for _, s := range []string{`5`, `5.0`, `{"a":[1,2.5,"x",null,true]}`, `1e400`, `"\u0000"`, `-0.0`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return
		}
		once := canonical(v)
		var again any
		d = json.NewDecoder(strings.NewReader(once))
		d.UseNumber()
		if err := d.Decode(&again); err != nil {
			t.Fatalf("%q becomes %q, which is no JSON: %v", s, once, err)
		}
		if canonical(again) != once {
			t.Errorf("%q becomes %q, then %q", s, once, canonical(again))
		}
	})
}

// Two bindings are one object to the broker exactly when their names are equal.
func FuzzBindingID(f *testing.F) {
	f.Add("e", "q", "k", "e", "q [k]", "")
	f.Add("a -> queue b", "c", "", "a", "b -> queue c", "")
	f.Add("", "", "", "\"\"", "", "")
	f.Fuzz(func(t *testing.T, s1, d1, k1, s2, d2, k2 string) {
		a := Binding{Source: s1, Destination: d1, DestinationKind: KindQueue, RoutingKey: k1}
		b := Binding{Source: s2, Destination: d2, DestinationKind: KindQueue, RoutingKey: k2}
		same := s1 == s2 && d1 == d2 && k1 == k2
		if got := a.ID() == b.ID(); got != same {
			t.Errorf("%q is %q: %v", a.ID().Name, b.ID().Name, got)
		}
	})
}
