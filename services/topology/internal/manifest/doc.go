// Package manifest reads files of manifests: YAML or JSON, any number of
// documents in each, folders with all that is below them.
//
// Decoding is strict. A field that the API does not have, a key given twice, a
// value of the wrong type and a value that breaks a rule are problems, each named
// by file, document, object and field, with what would be right; all of them are
// reported at once. A manifest is taken whole or not at all.
package manifest
