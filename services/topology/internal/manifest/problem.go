package manifest

import (
	"fmt"
	"strings"

	"parley.sh/services/topology/api/v1alpha1"
)

// Document is one object and where it was read.
type Document struct {
	// File is the path as it was found; "-" is the standard input.
	File string
	// Index counts the documents of the file from 1.
	Index int
	// Line is the line on which the document begins, from 1.
	Line   int
	Object v1alpha1.Object
}

// Owner names the object: its kind, and its name with the namespace it states.
func (d Document) Owner() string { return ownerName(d.Object) }

func ownerName(o v1alpha1.Object) string {
	name := o.Meta().Name
	if ns := o.Meta().Namespace; ns != "" {
		name = ns + "/" + name
	}
	return o.KindName() + " " + name
}

// Problem is one thing that is wrong with a document.
type Problem struct {
	File     string `json:"file"`
	Document int    `json:"document,omitempty"`
	Line     int    `json:"line,omitempty"`
	// Object is the kind and the name, as far as they could be read.
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"`
	// Rule is what is wrong and what would be right.
	Rule string `json:"rule"`
}

// String is the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Document > 0 {
		fmt.Fprintf(&b, "document %d", p.Document)
		if p.Object != "" {
			fmt.Fprintf(&b, " (%s)", p.Object)
		}
		b.WriteString(": ")
	}
	if p.Field != "" {
		fmt.Fprintf(&b, "%s: ", p.Field)
	}
	b.WriteString(p.Rule)
	return b.String()
}

// Error is every problem of all the files that were read; there is at least one.
type Error struct{ Problems []Problem }

// Error implements error: a line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// At is the problem rule of one field of the document.
func (d Document) At(field, rule string) Problem {
	return Problem{d.File, d.Index, d.Line, d.Owner(), field, rule}
}
