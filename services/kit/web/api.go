package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
)

// api is what the document says about each route.
type api struct {
	operations map[string]*operation
	streams    map[string]bool
}

// operation is one method of one path.
type operation struct {
	route   *routers.Route
	headers []string // parameters that are headers
	accepts []string // media types of the body
}

// pathParameter is how OpenAPI writes what Gin writes as :name.
var pathParameter = regexp.MustCompile(`\{([^{}]+)\}`)

// routeKey returns how a method and a path of the document look at run time.
func routeKey(method, path string) string {
	return method + " " + pathParameter.ReplaceAllString(path, ":$1")
}

func newAPI(spec *openapi3.T, streams []string) (*api, error) {
	a := &api{operations: map[string]*operation{}, streams: map[string]bool{}}
	for _, s := range streams {
		method, path, _ := strings.Cut(s, " ")
		a.streams[routeKey(method, path)] = true
	}
	if spec == nil {
		return a, nil
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, err
	}
	// The validator compiles a 3.1 schema anew for every request and puts values
	// into its errors. Its 3.0 engine does neither, and knows all but a few keywords
	// of 3.1, which are refused here.
	as30 := *spec
	as30.OpenAPI = "3.0.3"
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if err := checkable(item, op); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			a.operations[routeKey(method, path)] = newOperation(
				&routers.Route{Spec: &as30, Path: path, PathItem: item, Method: method, Operation: op})
			if answersStream(op) {
				a.streams[routeKey(method, path)] = true
			}
		}
	}
	return a, nil
}

func newOperation(route *routers.Route) *operation {
	o := &operation{route: route}
	for _, p := range slices.Concat(route.PathItem.Parameters, route.Operation.Parameters) {
		if p.Value.In == openapi3.ParameterInHeader {
			o.headers = append(o.headers, p.Value.Name)
		}
	}
	if body := route.Operation.RequestBody; body != nil {
		for mediaType := range body.Value.Content {
			o.accepts = append(o.accepts, mediaType)
		}
		slices.Sort(o.accepts)
	}
	return o
}

// answersStream reports whether an operation's success is an event stream.
func answersStream(op *openapi3.Operation) bool {
	ok := op.Responses.Status(http.StatusOK)
	return ok != nil && ok.Value != nil && ok.Value.Content["text/event-stream"] != nil
}

func (a *api) operation(c *gin.Context) *operation {
	return a.operations[c.Request.Method+" "+c.FullPath()]
}

func (a *api) isStream(c *gin.Context) bool { return a.streams[c.Request.Method+" "+c.FullPath()] }

var errKeyword = errors.New("a request's schema uses a keyword that is not checked")

// checkable refuses schemas of requests that would be accepted unchecked.
func checkable(item *openapi3.PathItem, op *openapi3.Operation) error {
	var schemas []*openapi3.SchemaRef
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		schemas = append(schemas, p.Value.Schema)
	}
	if op.RequestBody != nil {
		for _, content := range op.RequestBody.Value.Content {
			schemas = append(schemas, content.Schema)
		}
	}
	for _, schema := range schemas {
		if schema == nil {
			continue
		}
		err := schema.WalkSubtree(func(_ string, ref *openapi3.SchemaRef) error {
			if word := unchecked(ref.Value); word != "" {
				return fmt.Errorf("%w: %s", errKeyword, word)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unchecked returns a keyword of s that only the 3.1 engine knows, or nothing.
func unchecked(s *openapi3.Schema) string {
	words := []struct {
		name string
		used bool
	}{
		{"const", s.Const != nil},
		{"prefixItems", len(s.PrefixItems) > 0},
		{"contains", s.Contains != nil},
		{"patternProperties", len(s.PatternProperties) > 0},
		{"dependentSchemas", len(s.DependentSchemas) > 0},
		{"dependentRequired", len(s.DependentRequired) > 0},
		{"propertyNames", s.PropertyNames != nil},
		{"unevaluatedItems", s.UnevaluatedItems.Has != nil || s.UnevaluatedItems.Schema != nil},
		{"unevaluatedProperties", s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil},
		{"if", s.If != nil},
		{"contentSchema", s.ContentSchema != nil},
	}
	for _, w := range words {
		if w.used {
			return w.name
		}
	}
	return ""
}
