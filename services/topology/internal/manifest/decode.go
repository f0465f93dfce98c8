package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"parley.sh/services/topology/api/v1alpha1"
)

// Decode reads the documents of one file's data. It returns every problem; a
// document with a problem is not among the documents.
func Decode(file string, data []byte) ([]Document, []Problem) {
	var documents []Document
	var problems []Problem
	for _, part := range split(data) {
		d := Document{File: file, Index: part.index, Line: part.line}
		if bad := d.decode(part.text); len(bad) > 0 {
			problems = append(problems, bad...)
			continue
		}
		if d.Object != nil {
			documents = append(documents, d)
		}
	}
	return documents, problems
}

type part struct {
	index, line int
	text        []byte
}

// split cuts a file at the lines that begin a document. JSON has no such lines
// and is one document.
func split(data []byte) []part {
	var parts []part
	text := make([]byte, 0, len(data))
	line, begin := 0, 1
	cut := func() {
		if blank(text) {
			return
		}
		parts = append(parts, part{len(parts) + 1, begin + lead(text), bytes.Clone(text)})
	}
	for _, l := range bytes.SplitAfter(data, []byte("\n")) {
		line++
		if rest, ok := separator(l); ok {
			cut()
			text, begin = append(text[:0], rest...), line
			continue
		}
		text = append(text, l...)
	}
	cut()
	return parts
}

// separator reports whether a line begins a document, and what it holds besides.
// The rest keeps its line, so that lines count right.
func separator(line []byte) ([]byte, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	if !ok || (len(rest) > 0 && !bytes.ContainsAny(rest[:1], " \t\r\n")) {
		return nil, false
	}
	return rest, true
}

// blank reports whether a text is nothing but comments and space.
func blank(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// lead counts the lines before the first that says something.
func lead(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		if !blank(line) {
			break
		}
		n++
	}
	return n
}

func (d *Document) decode(text []byte) []Problem {
	raw, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return []Problem{d.broken("", syntax(err, d.Line-lead(text)))}
	}
	head := struct {
		APIVersion string                `json:"apiVersion"`
		Kind       string                `json:"kind"`
		Metadata   struct{ Name string } `json:"metadata"`
	}{}
	if err := json.Unmarshal(raw, &head); err != nil {
		return []Problem{d.broken("", "is no manifest: it must be a map with apiVersion, kind, metadata and spec")}
	}
	name := strings.TrimSpace(head.Kind + " " + head.Metadata.Name)
	if head.APIVersion != v1alpha1.APIVersion {
		return []Problem{d.named(name, "apiVersion", fmt.Sprintf("is %q; it must be %s", head.APIVersion, v1alpha1.APIVersion))}
	}
	object := newObject(head.Kind)
	if object == nil {
		return []Problem{d.named(name, "kind", fmt.Sprintf("is %q; it must be %s, %s or %s", head.Kind,
			v1alpha1.KindTopic, v1alpha1.KindQueue, v1alpha1.KindExchange))}
	}
	return d.fill(object, name, raw)
}

func newObject(kind string) v1alpha1.Object {
	switch kind {
	case v1alpha1.KindTopic:
		return &v1alpha1.Topic{}
	case v1alpha1.KindQueue:
		return &v1alpha1.Queue{}
	case v1alpha1.KindExchange:
		return &v1alpha1.Exchange{}
	}
	return nil
}

func (d *Document) fill(object v1alpha1.Object, name string, raw []byte) []Problem {
	strict, err := kjson.UnmarshalStrict(raw, object)
	if err != nil {
		field, rule := mismatch(err, raw)
		return []Problem{d.named(name, field, rule)}
	}
	var problems []Problem
	for _, s := range strict {
		field, rule := unknown(s)
		problems = append(problems, d.named(name, field, rule))
	}
	for _, p := range object.Problems() {
		problems = append(problems, d.named(name, p.Field, p.Rule))
	}
	d.Object = object
	return problems
}

func (d *Document) broken(field, rule string) Problem { return d.named("", field, rule) }

func (d *Document) named(object, field, rule string) Problem {
	return Problem{d.File, d.Index, d.Line, object, field, rule}
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// syntax is what the parser says, with the lines counted from the file's start.
func syntax(err error, begin int) string {
	message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	message = strings.TrimPrefix(message, "yaml: ")
	return "is no YAML: " + yamlLine.ReplaceAllStringFunc(message, func(m string) string {
		var n int
		_, _ = fmt.Sscanf(m, "line %d", &n)
		return fmt.Sprintf("line %d", n+begin-1)
	})
}

// mismatch says which field of raw holds a value of the wrong type.
func mismatch(err error, raw []byte) (field, rule string) {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return "", strings.TrimPrefix(err.Error(), "json: ")
	}
	want := kindOf(wrong)
	rule = fmt.Sprintf("is a %s; it must be %s", wrong.Value, want)
	if want == "a text" {
		rule += ": put it in quotes"
	}
	return pinpoint(fieldPath(wrong.Field), want, raw), rule
}

// fieldPath is the path without the names of embedded structs, which are no
// fields to those who write manifests.
func fieldPath(path string) string {
	segments := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(segments, func(s string) bool {
		return s != "" && s[0] >= 'A' && s[0] <= 'Z'
	}), ".")
}

// pinpoint adds the key of a map of texts that holds something else: the decoder
// tells the map only.
func pinpoint(path, want string, raw []byte) string {
	var at any
	if want != "a text" || json.Unmarshal(raw, &at) != nil {
		return path
	}
	for segment := range strings.SplitSeq(path, ".") {
		m, _ := at.(map[string]any)
		at = m[segment]
	}
	m, _ := at.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if _, isText := m[key].(string); !isText {
			return path + "[" + key + "]"
		}
	}
	return path
}

func kindOf(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); {
	case kind == "string":
		return "a text"
	case kind == "bool":
		return "true or false"
	case strings.HasPrefix(kind, "int"):
		return "a whole number of " + strings.TrimPrefix(kind, "int") + " bits"
	case kind == "slice":
		return "a list"
	}
	return "a map"
}

var quoted = regexp.MustCompile(`^(unknown|duplicate) field "(.*)"$`)

// unknown says which field the API does not have, or has twice.
func unknown(err error) (field, rule string) {
	m := quoted.FindStringSubmatch(err.Error())
	if m == nil {
		return "", err.Error()
	}
	if m[1] == "duplicate" {
		return m[2], "is given twice: keep one"
	}
	return m[2], "is no field of this kind: correct its name (upper and lower case matter) or leave it out"
}
