// Package contract holds every event and command of the platform: its name, its
// fields, where it goes and under which key.
//
// The structs are the source. `go generate` writes the JSON Schema of each to
// schema/, which consumers check every message against, and catalogue.md, which
// lists what goes where. testdata/ holds one golden document per type, so that a
// change on the wire shows in review. Evolution is additive only: a field may be
// added, and readers accept fields they do not know.
package contract

//go:generate go run ./internal/generate
