package plan

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// CanonicalSetting is the one text of all that mean the same value of a topic's
// config. A text that is no value of its type is returned as it is: the broker
// will say what is wrong with it.
func CanonicalSetting(t SettingType, s string) string {
	trimmed := strings.TrimSpace(s)
	switch t {
	case TypeBool:
		return strings.ToLower(trimmed)
	case TypeInt:
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case TypeFloat:
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil && !math.IsNaN(f) {
			return strconv.FormatFloat(f+0, 'g', -1, 64)
		}
	case TypeList:
		return canonicalList(trimmed)
	case TypeText:
	}
	return s
}

// canonicalList sorts: the lists of topics (cleanup.policy, throttled replicas)
// are sets.
func canonicalList(s string) string {
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	slices.Sort(items)
	items = slices.DeleteFunc(slices.Compact(items), func(item string) bool { return item == "" })
	return strings.Join(items, ",")
}

// canonical is the one text of all that mean the same value of an argument or of
// a policy's setting: JSON with sorted keys, whole numbers without fraction.
func canonical(v any) string {
	out, err := json.Marshal(normal(v))
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(out)
}

// normal makes all numbers that are whole int64, at any depth, so that 5, 5.0 and
// json.Number("5") are equal. Large whole numbers lose nothing.
func normal(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = normal(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = normal(e)
		}
		return out
	case json.Number:
		return number(x)
	case float64:
		return whole(x)
	case int:
		return int64(x)
	case int32:
		return int64(x)
	}
	return v
}

func number(n json.Number) any {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return n
	}
	return whole(f)
}

func whole(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}

// text shows a value in a Field: texts bare, all else as JSON.
func text(v any) string {
	if s, ok := v.(string); ok && s != "" {
		return s
	}
	return canonical(v)
}

// differences compares two maps of settings by meaning, under a path.
func differences(path string, have, want map[string]any) []Field {
	var out []Field
	for _, k := range keys(have, want) {
		h, inHave := have[k]
		w, inWant := want[k]
		if inHave && inWant && canonical(h) == canonical(w) {
			continue
		}
		f := Field{Path: path + "." + k}
		if inHave {
			f.Have = text(h)
		}
		if inWant {
			f.Want = text(w)
		}
		out = append(out, f)
	}
	return out
}

// keys are the keys of all maps, sorted.
func keys[V any](maps ...map[string]V) []string {
	var out []string
	for _, m := range maps {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
