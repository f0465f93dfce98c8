package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Load fills cfg, a pointer to a struct, from the environment and validates it.
// The error is an *Error that lists every problem; anything else is a mistake in
// the struct itself. On error cfg is partly filled and must not be used.
func Load(cfg any) error {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("load configuration: %T is not a pointer to a struct", cfg)
	}
	var r report
	err := walk(v.Elem(), "", func(l leaf) error {
		if p := read(l); p != nil {
			r.add(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	validate(v.Elem(), "", &r)
	return r.err()
}

// leaf is one variable of a configuration.
type leaf struct {
	name  string
	field reflect.StructField
	value reflect.Value
}

// walk visits every variable in the order of the fields. Their names begin with prefix.
func walk(v reflect.Value, prefix string, visit func(leaf) error) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if !field.IsExported() || field.Tag.Get("ignored") == "true" {
			continue
		}
		if isPart(value) {
			if err := walk(value, prefix+prefixOf(field), visit); err != nil {
				return err
			}
			continue
		}
		name := field.Tag.Get("envconfig")
		if name == "" {
			return fmt.Errorf("configuration field %s.%s has no envconfig tag", v.Type(), field.Name)
		}
		if err := visit(leaf{name: prefix + name, field: field, value: value}); err != nil {
			return err
		}
	}
	return nil
}

// prefixOf returns what a part's own tag puts before the names of its variables.
func prefixOf(part reflect.StructField) string {
	if name := part.Tag.Get("envconfig"); name != "" {
		return name + "_"
	}
	return ""
}

// isPart reports whether a field is a struct of variables rather than one variable.
func isPart(v reflect.Value) bool {
	if v.Kind() != reflect.Struct {
		return false
	}
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	_, setter := v.Addr().Interface().(envconfig.Setter)
	_, decoder := v.Addr().Interface().(envconfig.Decoder)
	return !text && !setter && !decoder
}

// read gives envconfig one variable at a time, in a struct made for it: by itself
// envconfig stops at the first bad one.
func read(l leaf) *Problem {
	value, set := os.LookupEnv(l.name)
	if l.field.Tag.Get("required") == "true" && (!set || value == "") {
		return &Problem{Variable: l.name, What: "is not set", Fix: howToSet(l.field.Tag.Get("example"))}
	}
	tag := fmt.Sprintf(`envconfig:%q default:%q`, l.name, l.field.Tag.Get("default"))
	alone := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: l.field.Name, Type: l.field.Type, Tag: reflect.StructTag(tag)},
	}))
	if err := envconfig.Process("", alone.Interface()); err != nil {
		return explain(l, err)
	}
	l.value.Set(alone.Elem().Field(0))
	return nil
}

func howToSet(example string) string {
	if example == "" {
		return "set it"
	}
	return "set it, for example to " + example
}

// validate calls the Validate method of every part, the innermost first, so that
// a whole can rely on its parts having spoken.
func validate(v reflect.Value, prefix string, r *report) {
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() && isPart(v.Field(i)) {
			validate(v.Field(i), prefix+prefixOf(field), r)
		}
	}
	if part, ok := v.Addr().Interface().(interface{ Validate() error }); ok {
		r.addAll(part.Validate(), prefix)
	}
}

// explain says what is wrong without the value, which envconfig's text repeats.
func explain(l leaf, err error) *Problem {
	what, fix := expected(l.field.Type)
	if errors.Is(cause(err), strconv.ErrRange) {
		what = "is out of range"
	}
	if fallback := l.field.Tag.Get("default"); fallback != "" {
		fix += ", or leave it unset for " + fallback
	}
	return &Problem{Variable: l.name, What: what, Fix: fix}
}

// cause digs out what envconfig.ParseError does not unwrap.
func cause(err error) error {
	var p *envconfig.ParseError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

var durationType = reflect.TypeFor[time.Duration]()

func expected(t reflect.Type) (what, fix string) {
	if t == durationType {
		return "is not a duration", "give a number with a unit, such as 500ms, 30s or 2m"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "is not a boolean", "give true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "is not an integer", "give a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "is not a whole number of zero or more", "give one"
	case reflect.Float32, reflect.Float64:
		return "is not a number", "give one, such as 0.2"
	case reflect.Slice:
		what, fix = expected(t.Elem())
		return "holds an entry that " + what, fix + ", separated by commas"
	case reflect.Map:
		return "is not a list of key:value pairs", "separate pairs by commas"
	default:
		return "cannot be read", "see the service's config.md"
	}
}
