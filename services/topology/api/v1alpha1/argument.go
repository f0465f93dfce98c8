package v1alpha1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Argument is an integer or a text, as brokers take arguments of queues,
// exchanges and bindings. The zero value is the number 0. (The int-or-string of
// Kubernetes holds 32 bits; x-expires overflows it.)
//
// +kubebuilder:validation:Type=""
// +kubebuilder:validation:XIntOrString
// +kubebuilder:validation:MaxLength=1024
type Argument struct {
	number int64  `json:"-"`
	text   string `json:"-"`
	isText bool   `json:"-"`
}

// Number returns the integer argument n.
func Number(n int64) Argument { return Argument{number: n} }

// Text returns the text argument s.
func Text(s string) Argument { return Argument{text: s, isText: true} }

// Value is the argument as an int64 or a string.
func (a Argument) Value() any {
	if a.isText {
		return a.text
	}
	return a.number
}

// Equal reports whether a and b are the same argument: the integer 1 and the
// text "1" are not.
func (a Argument) Equal(b Argument) bool { return a == b }

// MarshalJSON implements json.Marshaler.
func (a Argument) MarshalJSON() ([]byte, error) { return json.Marshal(a.Value()) }

// UnmarshalJSON implements json.Unmarshaler. It takes an integer of 64 bits or a
// text, nothing else.
func (a *Argument) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*a = Text(s)
		return nil
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return fmt.Errorf("an argument must be a whole number or a text")
	}
	*a = Number(n)
	return nil
}
