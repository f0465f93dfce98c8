package web

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"parley.sh/services/kit/fault"
)

// wholeBody is the field of a problem that is about the body as such.
const wholeBody = "body"

// fieldsOf turns what the validator found into fields and rules. It takes names
// and bounds from the document, and paths from the request; values it never looks at.
func fieldsOf(err error) []fault.Field {
	switch e := err.(type) { //nolint:errorlint // the tree is walked level by level
	case openapi3.MultiError:
		var all []fault.Field
		for _, one := range e {
			all = append(all, fieldsOf(one)...)
			if len(all) >= mostFields {
				break
			}
		}
		return all
	case *openapi3filter.RequestError:
		if e.Parameter != nil {
			return parameterFields(e)
		}
		return bodyFields(e)
	}
	return []fault.Field{{Name: "request", Rule: "is not valid"}}
}

func parameterFields(e *openapi3filter.RequestError) []fault.Field {
	name := e.Parameter.Name
	switch {
	case errors.Is(e.Err, openapi3filter.ErrInvalidRequired):
		return []fault.Field{{Name: name, Rule: "is required"}}
	case errors.Is(e.Err, openapi3filter.ErrInvalidEmptyValue):
		return []fault.Field{{Name: name, Rule: "must not be empty"}}
	}
	if found := schemaFields(name, e.Err); len(found) > 0 {
		return found
	}
	if s := e.Parameter.Schema; s != nil {
		return []fault.Field{{Name: name, Rule: typeRule(s.Value)}}
	}
	return []fault.Field{{Name: name, Rule: "is not valid"}}
}

func bodyFields(e *openapi3filter.RequestError) []fault.Field {
	if errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
		return []fault.Field{{Name: wholeBody, Rule: "is required"}}
	}
	if found := schemaFields("", e.Err); len(found) > 0 {
		return found
	}
	return []fault.Field{{Name: wholeBody, Rule: "cannot be read"}}
}

// schemaFields returns the violated rules of a schema, under base.
func schemaFields(base string, err error) []fault.Field {
	switch e := err.(type) { //nolint:errorlint // the tree is walked level by level
	case openapi3.MultiError:
		var all []fault.Field
		for _, one := range e {
			all = append(all, schemaFields(base, one)...)
			if len(all) >= mostFields {
				break
			}
		}
		return all
	case *openapi3.SchemaError:
		return []fault.Field{schemaField(base, e)}
	}
	return nil
}

// unsupported is how the validator names a field that the document does not have.
var unsupported = regexp.MustCompile(`^property (".*") is unsupported$`)

func schemaField(base string, e *openapi3.SchemaError) fault.Field {
	path := base
	for _, token := range e.JSONPointer() {
		path = joined(path, token)
	}
	if m := unsupported.FindStringSubmatch(e.Reason); m != nil && e.SchemaField == "properties" {
		if name, err := strconv.Unquote(m[1]); err == nil {
			return fault.Field{Name: joined(path, name), Rule: "is not a known field"}
		}
	}
	if path == "" {
		path = wholeBody
	}
	return fault.Field{Name: path, Rule: rule(e)}
}

// rule says in words which keyword was broken, with its bound from the document.
func rule(e *openapi3.SchemaError) string {
	s := e.Schema
	if s == nil {
		return "is not valid"
	}
	switch e.SchemaField {
	case "required":
		return "is required"
	case "nullable":
		return "must not be null"
	case "type":
		return typeRule(s)
	case "format":
		return "must be a valid " + s.Format
	case "enum":
		return "must be one of " + list(s.Enum)
	case "pattern":
		return "must match " + s.Pattern
	case "readOnly":
		return "must not be given"
	case "uniqueItems":
		return "must not repeat an entry"
	}
	return boundRule(e.SchemaField, s)
}

// boundRule is rule for the keywords that are a number.
func boundRule(keyword string, s *openapi3.Schema) string {
	switch keyword {
	case "minimum":
		return "must be at least " + number(s.Min)
	case "maximum":
		return "must be at most " + number(s.Max)
	case "exclusiveMinimum":
		return "must be more than " + number(s.ExclusiveMin.Value)
	case "exclusiveMaximum":
		return "must be less than " + number(s.ExclusiveMax.Value)
	case "multipleOf":
		return "must be a multiple of " + number(s.MultipleOf)
	case "minLength":
		return fmt.Sprintf("must have at least %d character(s)", s.MinLength)
	case "maxLength":
		return fmt.Sprintf("must have at most %d character(s)", *s.MaxLength)
	case "minItems":
		return fmt.Sprintf("must have at least %d entry(ies)", s.MinItems)
	case "maxItems":
		return fmt.Sprintf("must have at most %d entries", *s.MaxItems)
	case "minProperties":
		return fmt.Sprintf("must have at least %d field(s)", s.MinProps)
	case "maxProperties":
		return fmt.Sprintf("must have at most %d fields", *s.MaxProps)
	}
	return "must have one of the allowed forms"
}

func number(v *float64) string {
	if v == nil {
		return "its bound"
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func list(values []any) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = fmt.Sprint(v)
		if v == nil {
			names[i] = "null"
		}
	}
	return strings.Join(names, ", ")
}

func typeRule(s *openapi3.Schema) string {
	names := slices.Clone(s.Type.Slice()) // the document's own
	if len(names) == 0 {
		return "is not of the right type"
	}
	for i, name := range names {
		article := "a "
		if strings.ContainsAny(name[:1], "aio") {
			article = "an "
		}
		names[i] = article + name
	}
	return "must be " + strings.Join(names, " or ")
}

// joined appends a step to a path: items, 0, quantity become items[0].quantity.
func joined(path, step string) string {
	if _, err := strconv.ParseUint(step, 10, 32); err == nil && path != "" {
		return path + "[" + step + "]"
	}
	step = shortened(step)
	if path == "" {
		return step
	}
	return path + "." + step
}

// shortened makes a name that came with a request fit to be repeated: at most 64
// characters, all of them printable.
func shortened(name string) string {
	const most = 64
	count := 0
	return strings.Map(func(r rune) rune {
		count++
		switch {
		case count > most:
			return -1
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, name)
}
