package web

import (
	"errors"
	"net/mail"
	"net/url"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
)

// formats are the string formats that are checked besides date, date-time and byte.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid":  openapi3.NewCallbackValidator(isUUID),
	"uri":   openapi3.NewCallbackValidator(isURI),
	"email": openapi3.NewCallbackValidator(isEmail),
}

var errFormat = errors.New("the format does not match")

// isUUID takes the canonical form only: the braces and prefixes that the parser
// knows would make two spellings of one id.
func isUUID(s string) error {
	if len(s) != 36 {
		return errFormat
	}
	return uuid.Validate(s)
}

func isURI(s string) error {
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() {
		return errFormat
	}
	return nil
}

func isEmail(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return errFormat
	}
	return nil
}
