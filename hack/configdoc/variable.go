package main

import (
	"fmt"
	"go/ast"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// variable is one row of the reference.
type variable struct {
	name, kind, fallback, meaning string
	required                      bool
}

// variables lists what a struct declares, in the order of its fields, its parts'
// in their place. Their names begin with prefix.
func variables(m module, d declaration, prefix string) ([]variable, error) {
	var all []variable
	for _, field := range d.fields.Fields.List {
		tag := tagOf(field)
		if tag.Get("ignored") == "true" {
			continue
		}
		part, ok, err := partOf(m, d, field.Type)
		if err != nil {
			return nil, err
		}
		if ok {
			inner, err := variables(m, part, prefix+prefixOf(tag))
			if err != nil {
				return nil, err
			}
			all = append(all, inner...)
			continue
		}
		v, err := newVariable(field, tag)
		if err != nil {
			return nil, err
		}
		v.name = prefix + v.name
		all = append(all, v)
	}
	return all, nil
}

// prefixOf returns what a part's own tag puts before the names of its variables.
func prefixOf(part reflect.StructTag) string {
	if name := part.Get("envconfig"); name != "" {
		return name + "_"
	}
	return ""
}

func tagOf(field *ast.Field) reflect.StructTag {
	if field.Tag == nil {
		return ""
	}
	text, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return ""
	}
	return reflect.StructTag(text)
}

// partOf follows the type of a field to a struct of this module, if it is one.
func partOf(m module, d declaration, t ast.Expr) (declaration, bool, error) {
	switch t := t.(type) {
	case *ast.Ident:
		return findStruct(d.dir, t.Name)
	case *ast.SelectorExpr:
		from, ok := t.X.(*ast.Ident)
		if !ok {
			return declaration{}, false, nil
		}
		importPath, _ := importOf(d.file, from.Name)
		dir, ours := m.folder(importPath)
		if !ours {
			return declaration{}, false, nil
		}
		return findStruct(dir, t.Sel.Name)
	}
	return declaration{}, false, nil
}

func newVariable(field *ast.Field, tag reflect.StructTag) (variable, error) {
	if len(field.Names) != 1 {
		return variable{}, fmt.Errorf("the field at %s must have one name of its own", kindOf(field.Type))
	}
	name := field.Names[0].Name
	v := variable{
		name: tag.Get("envconfig"), kind: kindOf(field.Type), fallback: tag.Get("default"),
		required: tag.Get("required") == "true", meaning: meaningOf(name, field.Doc.Text()),
	}
	switch {
	case v.name == "":
		return variable{}, fmt.Errorf("field %s has no envconfig tag", name)
	case v.meaning == "":
		return variable{}, fmt.Errorf("%s (field %s) has no comment", v.name, name)
	}
	return v, nil
}

// kindOf names a type for people who set variables.
func kindOf(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.ArrayType:
		return "list of " + kindOf(t.Elt)
	case *ast.MapType:
		return "pairs " + kindOf(t.Key) + ":" + kindOf(t.Value)
	case *ast.SelectorExpr:
		return strings.ToLower(t.Sel.Name)
	case *ast.Ident:
		return basicKind(t.Name)
	}
	return "text"
}

func basicKind(name string) string {
	switch {
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"):
		return "integer"
	case strings.HasPrefix(name, "float"):
		return "number"
	case name == "bool":
		return "boolean"
	}
	return "text"
}

// meaningOf makes a field's comment a sentence about the variable: without the
// field's name, which begins it by Go's convention, and without the "is" after it.
func meaningOf(field, comment string) string {
	words := strings.Fields(comment)
	if len(words) > 0 && words[0] == field {
		words = words[1:]
		if len(words) > 0 && (words[0] == "is" || words[0] == "are") {
			words = words[1:]
		}
	}
	sentence := []rune(strings.Join(words, " "))
	if len(sentence) > 0 {
		sentence[0] = unicode.ToUpper(sentence[0])
	}
	return string(sentence)
}
