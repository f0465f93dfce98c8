package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
)

func TestGoodRequestsPass(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil).things()
	for name, r := range map[string]*http.Request{
		"least": post(goodThing),
		"most": post(`{"name":"abc","level":null,"email":"a@b.c","link":"https://x/y","at":"2026-11-23T10:00:00Z",` +
			`"ratio":0.5,"note":"\u00e9","items":[{"quantity":1},{"quantity":100}],"labels":{"x":"abc"}}`),
		"query":    get("/api/things?limit=200&state=old"),
		"no query": get("/api/things"),
		"path":     get("/api/things/0192d3b4-0000-7000-8000-000000000001"),
	} {
		if w := b.do(r); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, w.Code, w.Body)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	one := func(field, rule string) []FieldError { return []FieldError{{field, rule}} }
	with := func(field, value string) *http.Request {
		return post(fmt.Sprintf(`{"name":"abc","items":[{"quantity":1}],%q:%s}`, field, value))
	}
	two := func(field, first, second string) []FieldError {
		return []FieldError{{field, first}, {field, second}}
	}
	name := func(text string) *http.Request { return post(`{"name":"` + text + `","items":[{"quantity":1}]}`) }
	const fourItems = `[{"quantity":1},{"quantity":2},{"quantity":3},{"quantity":4}]`
	items := func(list string) *http.Request { return post(`{"name":"abc","items":` + list + `}`) }
	noKey := post(goodThing)
	noKey.Header.Del("Idempotency-Key")
	badKey := post(goodThing)
	badKey.Header.Set("Idempotency-Key", "\xff")
	tests := map[string]struct {
		request *http.Request
		errors  []FieldError
	}{
		"no body":                {post(""), one("body", "is required")},
		"not JSON":               {post(`{"name":`), nil},
		"two values":             {post(goodThing + goodThing), nil},
		"not UTF-8":              {post("{\"name\":\"\xff\"}"), nil},
		"not an object":          {post(`[1]`), one("body", "must be an object")},
		"null":                   {post(`null`), one("body", "must not be null")},
		"missing":                {post(`{}`), []FieldError{{"name", "is required"}, {"items", "is required"}}},
		"unknown":                {with("extra", "1"), one("extra", "is not a known field")},
		"unknown within":         {items(`[{"quantity":1,"price":2}]`), one("items[0].price", "is not a known field")},
		"wrong type":             {with("note", "7"), one("note", "must be a string")},
		"null where none is":     {with("note", "null"), one("note", "must not be null")},
		"too short":              {name(""), two("name", "must have at least 1 character(s)", "must match ^[a-z]+$")},
		"too long":               {name("abcdefghijk"), one("name", "must have at most 10 character(s)")},
		"not in the list":        {with("level", `"c"`), one("level", "must be one of a, b, null")},
		"no mail address":        {with("email", `"a"`), one("email", "must be a valid email")},
		"no URI":                 {with("link", `"a b"`), one("link", "must be a valid uri")},
		"no time":                {with("at", `"yesterday"`), one("at", "must be a valid date-time")},
		"not above":              {with("ratio", "0"), one("ratio", "must be more than 0")},
		"not below":              {with("ratio", "1"), one("ratio", "must be less than 1")},
		"zero":                   {items(`[{"quantity":0}]`), one("items[0].quantity", "must be at least 1")},
		"negative":               {items(`[{"quantity":1},{"quantity":-1}]`), one("items[1].quantity", "must be at least 1")},
		"too many":               {items(`[{"quantity":101}]`), one("items[0].quantity", "must be at most 100")},
		"no integer":             {items(`[{"quantity":1.5}]`), two("items[0].quantity", "must be an integer", "must be a multiple of 1")},
		"overflow":               {items(`[{"quantity":99999999999}]`), two("items[0].quantity", "must be a valid int32", "must be at most 100")},
		"overflow of everything": {items(`[{"quantity":1e999}]`), one("items[0].quantity", "must be an integer")},
		"empty list":             {items(`[]`), one("items", "must have at least 1 entry(ies)")},
		"long list":              {items(fourItems), one("items", "must have at most 3 entries")},
		"repeated":               {items(`[{"quantity":1},{"quantity":1}]`), one("items", "must not repeat an entry")},
		"label too long":         {with("labels", `{"x":"abcd"}`), one("labels.x", "must have at most 3 character(s)")},
		"too many labels":        {with("labels", `{"x":"a","y":"b","z":"c"}`), one("labels", "must have at most 2 fields")},
		"NUL":                    {with("note", `"a\u0000b"`), one("note", "must be text without NUL")},
		"NUL in a name":          {with("labels", `{"\u0000":"a"}`), one("labels.?", "must be text without NUL")},
		"header missing":         {noKey, one("Idempotency-Key", "is required")},
		"header not text":        {badKey, one("Idempotency-Key", "must be UTF-8 text without NUL")},
		"query not a number":     {get("/api/things?limit=many"), one("limit", "must be an integer")},
		"query too large":        {get("/api/things?limit=201"), one("limit", "must be at most 200")},
		"query not in the list":  {get("/api/things?state=odd"), one("state", "must be one of new, old")},
		"query not text":         {get("/api/things?state=%FF"), one("state", "must be UTF-8 text without NUL")},
		"query with NUL":         {get("/api/things?other=%00"), one("other", "must be UTF-8 text without NUL")},
		"query malformed":        {get("/api/things?limit=%zz"), nil},
		"path":                   {get("/api/things/7"), one("id", "must be a valid uuid")},
		"path in braces":         {get("/api/things/%7B0192d3b4-0000-7000-8000-00000000001%7D"), one("id", "must be a valid uuid")},
		"path not text":          {get("/api/things/%00"), one("id", "must be UTF-8 text without NUL")},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := false
			b := newBench(t, small(), nil)
			handler := func(c *gin.Context) { called = true; c.Status(http.StatusOK) }
			b.Engine.POST("/api/things", handler)
			b.Engine.GET("/api/things", handler)
			b.Engine.GET("/api/things/:id", handler)
			p := problem(t, b.do(tc.request), http.StatusBadRequest)
			byField := func(a, b FieldError) int { return strings.Compare(a.Field+a.Rule, b.Field+b.Rule) }
			slices.SortFunc(p.Errors, byField)
			slices.SortFunc(tc.errors, byField)
			diff(t, tc.errors, p.Errors)
			if called {
				t.Error("the handler was called")
			}
		})
	}
}

func TestUnsupportedMediaType(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ contentType, coding string }{
		"none":            {},
		"another":         {contentType: "text/plain"},
		"malformed":       {contentType: "application/json; ="},
		"another charset": {contentType: "application/json; charset=latin1"},
		"compressed":      {contentType: "application/json", coding: "gzip"},
	}
	b := newBench(t, small(), nil).things()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := post(goodThing)
			r.Header.Set("Content-Type", tc.contentType)
			r.Header.Set("Content-Encoding", tc.coding)
			w := b.do(r)
			problem(t, w, http.StatusUnsupportedMediaType)
			if w.Header().Get("Accept") == "" && w.Header().Get("Accept-Encoding") == "" {
				t.Error("the answer does not say what is accepted")
			}
		})
	}
	for _, good := range []string{"application/json; charset=utf-8", "Application/JSON"} {
		r := post(goodThing)
		r.Header.Set("Content-Type", good)
		if w := b.do(r); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", good, w.Code, w.Body)
		}
	}
}

func TestErrorsNeverEchoAValue(t *testing.T) {
	t.Parallel()
	const value = "hunter2"
	b := newBench(t, small(), nil).things()
	key := post(strings.ReplaceAll(`{"name":"?","level":"?","email":"?","link":"?","at":"?","ratio":"?",`+
		`"note":["?"],"items":"?","labels":{"x":"?"}}`, "?", value))
	key.Header.Set("Idempotency-Key", strings.Repeat(value, 10))
	for name, r := range map[string]*http.Request{
		"body": key, "malformed": post(`{"name":` + value), "query": get("/api/things?limit=" + value + "&state=" + value),
		"path": get("/api/things/" + value), "type": withType(post(goodThing), "text/"+value),
		"deadline": withHeader(get("/api/things"), "X-Request-Deadline", value), "url": get("/" + value),
	} {
		w := b.do(r)
		if w.Code < 400 || strings.Contains(w.Body.String(), value) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func withType(r *http.Request, mediaType string) *http.Request {
	return withHeader(r, "Content-Type", mediaType)
}

func withHeader(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func TestManyErrorsAreCut(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.MaxBodyBytes = 1 << 20
	b := newBench(t, cfg, nil).things()
	items := strings.TrimSuffix(strings.Repeat(`{"quantity":0},`, 10_000), ",")
	p := problem(t, b.do(post(`{"name":"abc","items":[`+items+`]}`)), 400)
	if len(p.Errors) != mostFields {
		t.Errorf("%d errors, want %d", len(p.Errors), mostFields)
	}
}

func TestHandlersGetWhatWasChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t, small(), nil)
	b.Engine.POST("/api/things", Handle(func(c *gin.Context) error {
		checked, ok := c.Request.Body.(interface{ ValidatedValue() any })
		if !ok {
			t.Error("the body does not hold the value that was checked")
			return nil
		}
		value, _ := checked.ValidatedValue().(map[string]any)
		diff(t, any("abc"), value["name"])
		var again struct{ Name string }
		if err := c.ShouldBindJSON(&again); err != nil || again.Name != "abc" {
			t.Errorf("the body can no longer be read: %v", err)
		}
		return nil
	}))
	b.do(post(goodThing))
}

func TestDocumentsThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(thing *openapi3.Schema){
		"const":             func(s *openapi3.Schema) { s.Properties["name"].Value.Const = "abc" },
		"if":                func(s *openapi3.Schema) { s.If = openapi3.NewSchemaRef("", openapi3.NewStringSchema()) },
		"dependentRequired": func(s *openapi3.Schema) { s.DependentRequired = map[string][]string{"name": {"note"}} },
		"nested contains": func(s *openapi3.Schema) {
			s.Properties["items"].Value.Contains = openapi3.NewSchemaRef("", openapi3.NewObjectSchema())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := spec(t)
			change(doc.Components.Schemas["Thing"].Value)
			if _, err := newAPI(doc, nil); err == nil {
				t.Error("the document was accepted, and would be enforced in part only")
			}
		})
	}
	if _, err := newAPI(&openapi3.T{}, nil); err == nil {
		t.Error("an invalid document was accepted")
	}
}

// FuzzBody gives the server bodies: whatever comes, the answer is a success or a
// problem of the client's.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		goodThing, `{"name":1}`, `[`, `{"a":"\u0000"}`, "\xff", `{"items":[{"quantity":1e999}]}`, `{"labels":{"":"x"}}`,
	} {
		f.Add(seed)
	}
	b := newBench(f, small(), func(o *Options) { o.Log = slog.New(slog.DiscardHandler) }).things()
	f.Fuzz(func(t *testing.T, body string) {
		w := b.do(post(body))
		if w.Code == http.StatusOK {
			return
		}
		if w.Code >= http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

// FuzzURL does the same with paths and queries.
func FuzzURL(f *testing.F) {
	f.Add("0192d3b4-0000-7000-8000-000000000001", "limit=1&state=new")
	f.Add("\x00", "limit=%zz;state=\xff")
	b := newBench(f, small(), func(o *Options) { o.Log = slog.New(slog.DiscardHandler) }).things()
	f.Fuzz(func(t *testing.T, id, query string) {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/things/x", http.NoBody)
		r.URL.Path, r.URL.RawQuery = "/api/things/"+id, query
		if w := b.do(r); w.Code >= http.StatusInternalServerError {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
