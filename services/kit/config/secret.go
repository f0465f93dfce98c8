package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask stands for every secret that is set.
const mask = "***"

// Secret is a value that must not be seen. However it is printed, logged or
// encoded it shows three asterisks, or nothing when it is empty; only Reveal
// gives it. Keep it in exported fields: fmt cannot ask an unexported field's
// methods. The zero value is "not set".
type Secret string

// Reveal returns the value. Call it where the value is used and keep the result
// out of errors and logs.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer without the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString implements fmt.GoStringer without the value.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format implements fmt.Formatter: a verb that is wrong for a string would print
// the value otherwise.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// LogValue implements slog.LogValuer without the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler without the value; JSON, YAML and
// XML encoders follow it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
