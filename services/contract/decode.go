package contract

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

//go:embed schema/*.json
var schemaFiles embed.FS

// schemas compiles every committed schema, once, when the first message is read.
var schemas = sync.OnceValues(compileSchemas)

func compileSchemas() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiled := make(map[string]*jsonschema.Schema)
	for _, name := range Types() {
		data, err := schemaFiles.ReadFile(SchemaFile(name))
		if err != nil {
			return nil, fmt.Errorf("read the schema of %s: %w", name, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("parse the schema of %s: %w", name, err)
		}
		if err := compiler.AddResource(SchemaURI(name), doc); err != nil {
			return nil, fmt.Errorf("add the schema of %s: %w", name, err)
		}
		if compiled[name], err = compiler.Compile(SchemaURI(name)); err != nil {
			return nil, fmt.Errorf("compile the schema of %s: %w", name, err)
		}
	}
	return compiled, nil
}

// SchemaFile returns the path of a type's schema inside this package.
func SchemaFile(messageType string) string {
	return fmt.Sprintf("schema/%s.v%d.json", messageType, Version)
}

// Decode reads the payload of m. It checks the data against the committed schema
// of P and that the subject of the payload is the message's own; an error is
// Invalid, names each field and rule, and never holds a value. Fields that P does
// not know are accepted.
func Decode[P Payload](m message.Message) (P, error) {
	var p P
	if m.Type != p.Type() {
		return p, fault.Newf(fault.Invalid, "header type must be %s", p.Type())
	}
	if err := validate(p.Type(), m.Data); err != nil {
		return p, err
	}
	if err := json.Unmarshal(m.Data, &p); err != nil {
		return p, fault.Wrap(fault.Invalid, err, "data does not fit the type "+p.Type())
	}
	if p.Subject() != m.Subject {
		return p, fault.New(fault.Invalid, "header subject must be the subject of the data")
	}
	return p, nil
}

// Handle returns the handler that decodes a message and gives it to fn.
func Handle[P Payload](fn func(ctx context.Context, m message.Message, p P) error) message.Handler {
	return func(ctx context.Context, m message.Message) error {
		p, err := Decode[P](m)
		if err != nil {
			return err
		}
		return fn(ctx, m, p)
	}
}

func validate(messageType string, data []byte) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fault.New(fault.Invalid, "data must be one JSON document")
	}
	err = all[messageType].Validate(doc)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("validate %s: %w", messageType, err)
	}
	return fault.InvalidFields("data breaks the schema of "+messageType, brokenRules(invalid)...)
}

// brokenRules lists the leaves of a validation error: the field and the keyword of
// the schema that it breaks, without any value.
func brokenRules(e *jsonschema.ValidationError) []fault.Field {
	if len(e.Causes) > 0 {
		var fields []fault.Field
		for _, cause := range e.Causes {
			fields = append(fields, brokenRules(cause)...)
		}
		return fields
	}
	at := strings.Join(e.InstanceLocation, ".")
	if missing, ok := e.ErrorKind.(*kind.Required); ok {
		var fields []fault.Field
		for _, name := range missing.Missing {
			fields = append(fields, fault.Field{Name: strings.TrimPrefix(at+"."+name, "."), Rule: "is required"})
		}
		return fields
	}
	return []fault.Field{{Name: at, Rule: "breaks " + strings.Join(e.ErrorKind.KeywordPath(), ".")}}
}
