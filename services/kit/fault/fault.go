package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Kind says what an error means to whoever must act on it. The zero value is
// Internal, the kind of every error that nobody classified.
type Kind uint8

// The kinds, in no order of severity.
const (
	// Internal is a defect or an unknown failure.
	Internal Kind = iota
	// Invalid is input that can never succeed as it is.
	Invalid
	// NotFound is a reference to something that is not there.
	NotFound
	// Conflict is a request that contradicts a business fact.
	Conflict
	// Unavailable is a dependency that cannot answer now; trying again can help.
	Unavailable
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Internal, Invalid, NotFound, Conflict, Unavailable} }

// String returns the lower-case name of k, as metrics and logs carry it.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not_found"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	case Internal:
		return "internal"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field names one invalid part of an input and the rule it breaks. Neither may
// hold the offending value: both reach clients and logs.
type Field struct {
	// Name is the path of the field, such as "items[3].quantity".
	Name string
	// Rule is the rule in words, such as "must be at least 1".
	Rule string
}

// Error is an error with a Kind. Public is safe to show to a client; Cause never
// leaves the process but for its logs. An Error is immutable once returned.
type Error struct {
	Kind   Kind
	Public string
	// Fields lists what is wrong with an Invalid input, if it can be said.
	Fields []Field
	// RetryAfter says when trying again makes sense; zero means unknown.
	RetryAfter time.Duration
	Cause      error
}

// Error implements error: the public text, then the cause.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Public
	}
	if e.Public == "" {
		return e.Cause.Error()
	}
	return e.Public + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of kind k whose text is safe to show to a client.
func New(k Kind, public string) *Error { return &Error{Kind: k, Public: public} }

// Newf is New with formatting. The arguments must be safe to show to a client.
func Newf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Public: fmt.Sprintf(format, args...)}
}

// Wrap classifies cause as k and gives it a public text, which may be empty: the
// edge then shows the title of the kind. Wrap of a nil cause returns nil.
func Wrap(k Kind, cause error, public string) error {
	if cause == nil {
		return nil
	}
	return &Error{Kind: k, Public: public, Cause: cause}
}

// InvalidFields returns an Invalid error that names each field and its rule.
func InvalidFields(public string, fields ...Field) *Error {
	return &Error{Kind: Invalid, Public: public, Fields: fields}
}

// KindOf returns the kind of err: that of the outermost *Error in its tree; else
// Unavailable for an ended context or a network error; else Internal. The kind
// of nil is Internal: ask only about errors.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &n) {
		return Unavailable
	}
	return Internal
}

// Is reports whether err is of kind k. It is false for nil.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
