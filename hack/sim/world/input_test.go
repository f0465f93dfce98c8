package world_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"

	"parley.sh/hack/sim/client"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	good := authorization("o", "tok_ok")
	change := func(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }
	const authorize = "/payments/authorize"
	tests := map[string]struct {
		path, body string
		media, key string
		status     int
		field      string
	}{
		"empty":                   {authorize, ``, "", "k", 400, ""},
		"not JSON":                {authorize, `orderId=o`, "", "k", 400, ""},
		"cut off":                 {authorize, good[:20], "", "k", 400, ""},
		"two documents":           {authorize, good + good, "", "k", 400, ""},
		"an array":                {authorize, `[` + good + `]`, "", "k", 400, ""},
		"null":                    {authorize, `null`, "", "k", 400, "orderId"},
		"an unknown field":        {authorize, change(`{`, `{"x":1,`), "", "k", 400, ""},
		"an unknown inner field":  {authorize, change(`{"amountMinor"`, `{"x":1,"amountMinor"`), "", "k", 400, ""},
		"a string as amount":      {authorize, change(`1250`, `"1250"`), "", "k", 400, "amount.amountMinor"},
		"a fraction as amount":    {authorize, change(`1250`, `12.5`), "", "k", 400, "amount.amountMinor"},
		"an overflowing amount":   {authorize, change(`1250`, `99999999999999999999`), "", "k", 400, "amount.amountMinor"},
		"too large an amount":     {authorize, change(`1250`, `9007199254740992`), "", "k", 400, "amount.amountMinor"},
		"no amount":               {authorize, change(`1250`, `0`), "", "k", 400, "amount.amountMinor"},
		"a negative amount":       {authorize, change(`1250`, `-1`), "", "k", 400, "amount.amountMinor"},
		"a currency in words":     {authorize, change(`EUR`, `euro`), "", "k", 400, "amount.currency"},
		"an order id with spaces": {authorize, change(`"o"`, `"o o"`), "", "k", 400, "orderId"},
		"a long order id":         {authorize, change(`"o"`, `"`+strings.Repeat("o", 65)+`"`), "", "k", 400, "orderId"},
		"an unknown token":        {authorize, change(`tok_ok`, `tok_maybe`), "", "k", 400, "token"},
		"oversized":               {authorize, change(`"o"`, `"`+strings.Repeat("o", 70<<10)+`"`), "", "k", 413, ""},
		"oversized by spaces":     {authorize, good + strings.Repeat(" ", 70<<10), "", "k", 413, ""},
		"no key":                  {authorize, good, "", "", 400, "Idempotency-Key"},
		"a key with spaces":       {authorize, good, "", "k k", 400, "Idempotency-Key"},
		"a long key":              {authorize, good, "", strings.Repeat("k", 256), 400, "Idempotency-Key"},
		"text":                    {authorize, good, "text/plain", "k", 415, ""},
		"a form":                  {authorize, good, "application/x-www-form-urlencoded", "k", 415, ""},
		"no payment named":        {"/payments/capture", `{}`, "", "k", 400, "authorizationId"},
		"payment named twice":     {"/payments/void", `{"orderId":"o","authorizationId":"a"}`, "", "k", 400, "authorizationId"},
		"a strange payment":       {"/payments/refund", `{"authorizationId":"../a"}`, "", "k", 400, "authorizationId"},
		"an empty order":          {"/payments/refund", `{"orderId":""}`, "", "k", 400, "orderId"},
		"an unknown payment":      {"/payments/refund", `{"authorizationId":"a"}`, "", "k", 404, ""},
		"an unknown order":        {"/payments/refund", `{"orderId":"o"}`, "", "k", 404, ""},
		"an unknown level":        {"/labels", `{"orderId":"o","level":"teleport","address":""}`, "", "k", 400, "level"},
		"a long address":          {"/labels", labelOf("o", strings.Repeat("x", 501)), "", "k", 400, "address"},
		"an unknown path":         {"/payments", good, "", "k", 404, ""},
		"an unknown path below":   {"/payments/authorize/", good, "", "k", 404, ""},
		"a statement is not made": {"/statement/payments", good, "", "k", 405, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t)
			r := l.request(http.MethodPost, tt.path, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			if tt.media != "" {
				r.Header.Set("Content-Type", tt.media)
			}
			if tt.key != "" {
				r.Header.Set("Idempotency-Key", tt.key)
			}
			s := l.do(r)
			if s.status != tt.status {
				t.Errorf("got %d, want %d: %s", s.status, tt.status, s.body)
			}
			if got := firstField(s); got != tt.field {
				t.Errorf("field %q is named, want %q", got, tt.field)
			}
			if len(s.body) > 600 {
				t.Errorf("an answer of %d bytes repeats the input", len(s.body))
			}
			if n := len(l.movements()) + len(l.parcels()); n != 0 {
				t.Errorf("%d effects", n)
			}
		})
	}
}

func firstField(s said) string {
	var p client.Problem
	if json.Unmarshal([]byte(s.body), &p) != nil || p.Errors == nil || len(*p.Errors) == 0 {
		return ""
	}
	return (*p.Errors)[0].Field
}

func TestBadPages(t *testing.T) {
	t.Parallel()
	l := open(t)
	for query, want := range map[string]int{
		"":                               200,
		"?limit=1000":                    200,
		"?after=9223372036854775807":     200,
		"?limit=0":                       400,
		"?limit=1001":                    400,
		"?limit=x":                       400,
		"?after=-1":                      400,
		"?after=9223372036854775808":     400,
		"?after=1.5&limit=-3":            400,
		"?limit=99999999999999999999999": 400,
	} {
		for _, path := range []string{"/statement/payments", "/statement/labels"} {
			if s := l.do(l.request(http.MethodGet, path+query, nil)); s.status != want {
				t.Errorf("%s%s: got %d, want %d", path, query, s.status, want)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	l := open(t)
	for path, method := range map[string]string{
		"/labels": http.MethodGet, "/payments/void": http.MethodPut, "/healthz": http.MethodPost, "/statement/labels": http.MethodDelete,
	} {
		w := httptest.NewRecorder()
		l.handler.ServeHTTP(w, l.request(method, path, nil))
		if w.Code != 405 || w.Header().Get("Allow") == "" || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: got %d, %v", method, path, w.Code, w.Header())
		}
	}
	if s := l.do(l.request(http.MethodGet, "/healthz", nil)); s.status != 200 {
		t.Errorf("health: got %d", s.status)
	}
}

// Whatever the bytes are, the world neither breaks nor takes for good what its
// contract forbids.
func FuzzBodies(f *testing.F) {
	f.Add(uint8(0), []byte(authorization("o", "tok_ok")))
	f.Add(uint8(1), []byte(`{"orderId":"o"}`))
	f.Add(uint8(1), []byte(`{"authorizationId":"a","orderId":null}`))
	f.Add(uint8(2), []byte(labelOf("o", "tok_declined")))
	f.Add(uint8(2), []byte(`{"ORDERID":"o","orderId":"p","level":"express"}`))
	kinds := []struct {
		path  string
		again func([]byte) ([]byte, error)
	}{
		{"/payments/authorize", again[client.Authorize]},
		{"/payments/capture", again[client.Reference]},
		{"/labels", again[client.LabelRequest]},
	}
	l, key := open(f), 0
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		if bytes.Contains(body, []byte("slow")) || bytes.Contains(body, []byte("late")) {
			t.Skip("they take their time")
		}
		kind := kinds[int(n)%len(kinds)]
		key++
		l.t = t
		s := l.post(t.Context(), kind.path, fmt.Sprint(key), string(body))
		defer func() { l.t = f }()
		switch s.status {
		case 400, 413:
		case 200, 402, 404, 409, 503:
			understood, err := kind.again(body)
			if err != nil {
				t.Fatalf("answered %d to what is not a document: %v", s.status, err)
			}
			l.forbidden(kind.path, understood)
		default:
			t.Fatalf("got %+v", s)
		}
	})
}

// again reads a document as the world does and writes it as a client would.
func again[T any](body []byte) ([]byte, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// forbidden fails the test if the contract does not allow the request.
func (l *lab) forbidden(path string, body []byte) {
	l.t.Helper()
	r := l.request(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "k")
	route, params, err := l.routes.FindRoute(r)
	if err != nil {
		l.t.Fatal(err)
	}
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
	})
	if err != nil {
		l.t.Errorf("accepted what the contract forbids: %v", err)
	}
}
