package web

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/gin-gonic/gin"

	"parley.sh/services/kit/fault"
)

// notValid is the public text of a request that breaks rules of the document.
const notValid = "the request is not valid"

// validation is how requests are compared with the document. Who may call is not
// its matter.
var validation = &openapi3filter.Options{
	MultiError:         true,
	KeepValidatedValue: true,
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidators(formats),
		openapi3.DisableSchemaErrorDetails(),
	},
}

// validate compares a request with its operation in the document. A route without
// one is not the document's matter.
func (s *Server) validate(c *gin.Context) {
	op := s.api.operation(c)
	if op == nil {
		return
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		WriteError(c, fault.Wrap(fault.Invalid, err, "the query cannot be read"))
		return
	}
	for _, check := range []func(*gin.Context, url.Values) error{op.checkText, op.checkType, op.checkDocument} {
		if err := check(c, query); err != nil {
			WriteError(c, err)
			return
		}
	}
}

// checkText refuses parameters that are not text: a database would refuse them
// later, and as our fault.
func (o *operation) checkText(c *gin.Context, query url.Values) error {
	var bad []fault.Field
	add := func(name string, values ...string) {
		if !slices.ContainsFunc(append(values, name), notText) {
			return
		}
		bad = append(bad, fault.Field{Name: shortened(name), Rule: "must be UTF-8 text without NUL"})
	}
	for _, p := range c.Params {
		add(p.Key, p.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		add(name, query[name]...)
	}
	for _, name := range o.headers {
		add(name, c.Request.Header.Values(name)...)
	}
	if len(bad) > 0 {
		return fault.InvalidFields(notValid, bad...)
	}
	return nil
}

func notText(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }

// checkType refuses a body that is not in a form the document names: 415.
func (o *operation) checkType(c *gin.Context, _ url.Values) error {
	if len(o.accepts) == 0 || c.Request.ContentLength == 0 {
		return nil
	}
	if coding := c.Request.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		c.Header("Accept-Encoding", "identity")
		return Status(http.StatusUnsupportedMediaType, fault.New(fault.Invalid, "the body must not be compressed"))
	}
	mediaType, params, err := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	charset, given := params["charset"]
	if err == nil && slices.Contains(o.accepts, mediaType) && (!given || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	c.Header("Accept", strings.Join(o.accepts, ", "))
	return Status(http.StatusUnsupportedMediaType,
		fault.Newf(fault.Invalid, "the body must be %s in UTF-8", strings.Join(o.accepts, " or ")))
}

// checkDocument compares parameters and body with their schemas. The body that
// passes is kept decoded, so that the handler gets the very value that was checked.
func (o *operation) checkDocument(c *gin.Context, query url.Values) error {
	if err := o.checkJSON(c); err != nil {
		return err
	}
	params := make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		params[p.Key] = p.Value
	}
	err := openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
		Request: c.Request, PathParams: params, QueryParams: query, Route: o.route, Options: validation,
	})
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Public: notValid, Fields: fieldsOf(err)}
	}
	if body, ok := c.Request.Body.(interface{ ValidatedValue() any }); ok {
		if bad := notTextIn("", body.ValidatedValue()); len(bad) > 0 {
			return fault.InvalidFields(notValid, bad...)
		}
	}
	return nil
}

// checkJSON refuses a body that is not one JSON value in UTF-8: the decoder behind
// the validator stops after the first value and mends bad UTF-8.
func (o *operation) checkJSON(c *gin.Context) error {
	if len(o.accepts) == 0 || c.Request.ContentLength == 0 || !strings.Contains(c.ContentType(), "json") {
		return nil
	}
	data, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return fmt.Errorf("read the buffered body: %w", err)
	}
	setBody(c.Request, data)
	if !utf8.Valid(data) || !json.Valid(data) {
		return fault.New(fault.Invalid, "the body is not valid JSON in UTF-8")
	}
	return nil
}

// notTextIn finds strings in a decoded value that no database takes.
func notTextIn(path string, value any) []fault.Field {
	var bad []fault.Field
	switch v := value.(type) {
	case string:
		if notText(v) {
			bad = append(bad, fault.Field{Name: path, Rule: "must be text without NUL"})
		}
	case []any:
		for i, item := range v {
			bad = append(bad, notTextIn(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			bad = append(bad, notTextIn(joined(path, name), name)...)
			bad = append(bad, notTextIn(joined(path, name), v[name])...)
		}
	}
	return bad
}
