package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
)

// Attrs returns the effective configuration for the log, one attribute a variable
// under its lower-case name. Secrets and passwords inside URLs are masked. cfg is
// a struct or a pointer to one; of anything else Attrs returns nothing.
func Attrs(cfg any) []slog.Attr {
	v := reflect.Indirect(reflect.ValueOf(cfg))
	if v.Kind() != reflect.Struct {
		return nil
	}
	own := reflect.New(v.Type()).Elem() // addressable, whatever was passed
	own.Set(v)
	var attrs []slog.Attr
	_ = walk(own, "", func(l leaf) error { // Load has refused a struct that cannot be walked
		attrs = append(attrs, slog.Any(strings.ToLower(l.name), shown(l.value)))
		return nil
	})
	return attrs
}

func shown(v reflect.Value) any {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	switch v.Kind() {
	case reflect.String:
		return redacted(v.String())
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(shown(v.Index(i)))
		}
		return strings.Join(parts, ",")
	default:
		return v.Interface()
	}
}

// redacted hides the password of a URL. Text that only looks like one and cannot
// be read as one is hidden as a whole.
func redacted(s string) string {
	if !strings.Contains(s, "://") || !strings.Contains(s, "@") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return mask
	}
	return u.Redacted()
}
