package rest_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/inventory/client"
	"parley.sh/services/inventory/internal/inventory"
	"parley.sh/services/inventory/internal/rest"
	"parley.sh/services/inventory/internal/store/storetest"
	"parley.sh/services/inventory/machine"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/web"
)

// newAPI serves the API over a catalogue, by the document that the service has.
func newAPI(t *testing.T, c inventory.Catalogue) http.Handler {
	t.Helper()
	data, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.New(web.Config{
		Addr: "127.0.0.1:0", MaxBodyBytes: 4096, MaxHeaderBytes: 16384, ReadTimeout: 5 * time.Second,
		RequestTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 100, MaxStreams: 1,
	}, web.Options{Service: "inventory", Spec: spec, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	rest.Register(server.Engine, rest.Handler{Catalogue: c})
	return server.Engine
}

// catalogue holds product 123, fifty of it, and two more; two of "b" are reserved.
func catalogue(t *testing.T) *storetest.Memory {
	t.Helper()
	m := &storetest.Memory{}
	product := func(id string, onHand int64) inventory.Product {
		return inventory.Product{ID: id, Name: "Product " + id, OnHand: onHand, Price: inventory.Money{Minor: 1250, Currency: "EUR"}}
	}
	if _, err := m.Seed(t.Context(), []inventory.Product{product("123", 50), product("a", 0), product("b", 2)}); err != nil {
		t.Fatal(err)
	}
	err := inventory.Place(t.Context(), m.Once(storetest.Message()),
		inventory.Placed{OrderID: "o", Version: 1, Items: []inventory.Item{{ProductID: "b", Quantity: 2}}})
	if err != nil || m.Reservation("o").State != machine.Reserved {
		t.Fatal(err)
	}
	return m
}

func do(t *testing.T, api http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func get(t *testing.T, api http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, api, http.MethodGet, path, "")
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return v
}

// The stock check answers what the platform's design says, to the letter; the price
// follows it.
func TestCheckAnswersTheContract(t *testing.T) {
	t.Parallel()
	const price = `,"unitPrice":{"amountMinor":1250,"currency":"EUR"}}`
	tests := map[string]string{
		"123": `{"productId":"123","available":true,"stock":50` + price,
		"a":   `{"productId":"a","available":false,"stock":0` + price,
		"b":   `{"productId":"b","available":false,"stock":0` + price, // all of it is reserved
	}
	api := newAPI(t, catalogue(t))
	for id, want := range tests {
		w := get(t, api, "/api/inventory/check?productId="+id)
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
			t.Errorf("%d %s\nwant %s", w.Code, got, want)
		}
		if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
			t.Errorf("content type %q", kind)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const good = `{"name":"Kettle","price":{"amountMinor":1,"currency":"EUR"},"onHand":5}`
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Errorf("no %s", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	const put, product = http.MethodPut, "/api/inventory/products/new"
	tests := map[string]struct {
		method, path, body string
		status             int
		field              string
	}{
		"unknown product":          {"GET", "/api/inventory/check?productId=124", "", 404, ""},
		"no product":               {"GET", "/api/inventory/check", "", 400, "productId"},
		"an empty product":         {"GET", "/api/inventory/check?productId=", "", 400, "productId"},
		"a malformed product":      {"GET", "/api/inventory/check?productId=a%20b", "", 400, "productId"},
		"an injection":             {"GET", "/api/inventory/check?productId=1%27%20OR%20%271", "", 400, "productId"},
		"a NUL":                    {"GET", "/api/inventory/check?productId=%00", "", 400, "productId"},
		"a long product":           {"GET", "/api/inventory/check?productId=" + strings.Repeat("1", 65), "", 400, "productId"},
		"the wrong method":         {"POST", "/api/inventory/check?productId=123", good, 405, ""},
		"no such path":             {"GET", "/api/inventory/checks", "", 404, ""},
		"an unknown product, read": {"GET", "/api/inventory/products/124", "", 404, ""},
		"a malformed one, read":    {"GET", "/api/inventory/products/a%20b", "", 400, "id"},
		"a limit of zero":          {"GET", "/api/inventory/products?limit=0", "", 400, "limit"},
		"too high a limit":         {"GET", "/api/inventory/products?limit=201", "", 400, "limit"},
		"a limit in words":         {"GET", "/api/inventory/products?limit=ten", "", 400, "limit"},
		"an odd cursor":            {"GET", "/api/inventory/products?cursor=%2F", "", 400, "cursor"},
		"no body":                  {put, product, "", 400, "body"},
		"no JSON":                  {put, product, "{", 400, ""},
		"too large":                {put, product, with("Kettle", strings.Repeat("K", 5000)), 413, ""},
		"an unknown field":         {put, product, with(`"name"`, `"colour":"crimson","name"`), 400, "colour"},
		"no name":                  {put, product, with(`"name":"Kettle",`, ""), 400, "name"},
		"an empty name":            {put, product, with("Kettle", ""), 400, "name"},
		"a long name":              {put, product, with("Kettle", strings.Repeat("K", 201)), 400, "name"},
		"no price":                 {put, product, with(`"amountMinor":1`, `"amountMinor":0`), 400, "price.amountMinor"},
		"a price of half a cent":   {put, product, with(`"amountMinor":1`, `"amountMinor":0.5`), 400, "price.amountMinor"},
		"no currency":              {put, product, with("EUR", "euro"), 400, "price.currency"},
		"a negative count":         {put, product, with(":5}", ":-1}"), 400, "onHand"},
		"too many":                 {put, product, with(":5}", ":1000000001}"), 400, "onHand"},
		"more than an int64":       {put, product, with(":5}", ":9223372036854775808}"), 400, "onHand"},
		"a malformed id":           {put, "/api/inventory/products/a~b", good, 400, "id"},
		"below what is reserved":   {put, "/api/inventory/products/b", with(":5}", ":1}"), 409, ""},
	}
	m := catalogue(t)
	api, before := newAPI(t, m), len(m.Movements())
	for name, tc := range tests {
		w := do(t, api, tc.method, tc.path, tc.body)
		p := decode[client.Problem](t, w)
		if w.Code != tc.status || p.Status != tc.status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tc.status)
		}
		if got := fields(p); got != tc.field {
			t.Errorf("%s: %s names %q, want %q", name, w.Body, got, tc.field)
		}
		said := strings.ReplaceAll(w.Body.String(), *p.RequestId, "")
		for _, sent := range []string{"KKKK", "124", "OR", "crimson", "euro"} {
			if strings.Contains(said, sent) {
				t.Errorf("%s: the problem repeats what was sent: %s", name, said)
			}
		}
	}
	if n := len(m.Movements()); n != before {
		t.Errorf("%d movements were made", n-before)
	}
}

// fields names the fields of a problem, each once.
func fields(p client.Problem) string {
	if p.Errors == nil {
		return ""
	}
	var names []string
	for _, e := range *p.Errors {
		if !slices.Contains(names, e.Field) {
			names = append(names, e.Field)
		}
	}
	return strings.Join(names, " ")
}

func TestWrongContentType(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/inventory/products/a", strings.NewReader("<product/>"))
	r.Header.Set("Content-Type", "text/xml")
	w := httptest.NewRecorder()
	newAPI(t, catalogue(t)).ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("%d %s, want 415", w.Code, w.Body)
	}
}

func TestPutAndRead(t *testing.T) {
	t.Parallel()
	m := catalogue(t)
	api := newAPI(t, m)
	body := func(onHand string) string {
		return `{"name":"K\u00fchl","price":{"amountMinor":7,"currency":"USD"},"onHand":` + onHand + `}`
	}
	for _, step := range []struct {
		id, onHand string
		status     int
		want       client.Product
	}{
		{"new", "5", 201, client.Product{OnHand: 5, Stock: 5, Version: 1}},
		{"new", "5", 200, client.Product{OnHand: 5, Stock: 5, Version: 1}},
		{"new", "0", 200, client.Product{Version: 2}},
		{"b", "10", 200, client.Product{OnHand: 10, Reserved: 2, Stock: 8, Version: 3}},
	} {
		want := step.want
		want.ProductId, want.Name, want.Price = step.id, "K\u00fchl", client.Money{AmountMinor: 7, Currency: "USD"}
		w := do(t, api, http.MethodPut, "/api/inventory/products/"+step.id, body(step.onHand))
		if w.Code != step.status {
			t.Errorf("PUT %s: %d %s, want %d", step.id, w.Code, w.Body, step.status)
		}
		if diff := cmp.Diff(want, decode[client.Product](t, w)); diff != "" {
			t.Errorf("PUT %s (-want +got):\n%s", step.id, diff)
		}
		if diff := cmp.Diff(want, decode[client.Product](t, get(t, api, "/api/inventory/products/"+step.id))); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", step.id, diff)
		}
	}
	var adjusted []int64
	for _, move := range m.Movements() {
		if move.Kind == inventory.Adjust {
			adjusted = append(adjusted, move.OnHand)
		}
	}
	if diff := cmp.Diff([]int64{5, -5, 8}, adjusted); diff != "" {
		t.Errorf("movements (-want +got):\n%s", diff)
	}
}

func TestCatalogueByPage(t *testing.T) {
	t.Parallel()
	api := newAPI(t, catalogue(t))
	var got []string
	path, pages := "/api/inventory/products?limit=2", 0
	for next := path; next != ""; pages++ {
		page := decode[client.ProductPage](t, get(t, api, next))
		for _, p := range page.Products {
			got = append(got, p.ProductId)
		}
		next = ""
		if page.Next != nil {
			next = path + "&cursor=" + *page.Next
		}
	}
	if diff := cmp.Diff([]string{"123", "a", "b"}, got); diff != "" || pages != 2 {
		t.Errorf("%d pages\n%s", pages, diff)
	}
	if page := decode[client.ProductPage](t, get(t, api, "/api/inventory/products")); len(page.Products) != 3 || page.Next != nil {
		t.Errorf("one page: %+v", page)
	}
	if w := get(t, newAPI(t, &storetest.Memory{}), "/api/inventory/products"); strings.TrimSpace(w.Body.String()) != `{"products":[]}` {
		t.Errorf("an empty catalogue: %s", w.Body)
	}
}

// failing is a catalogue that cannot be read.
type failing struct {
	inventory.Catalogue
	err error
}

func (f failing) Product(context.Context, string) (inventory.Product, error) {
	return inventory.Product{}, f.err
}

func (f failing) Products(context.Context, string, int) ([]inventory.Product, error) {
	return nil, f.err
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	for kind, status := range map[fault.Kind]int{fault.Unavailable: 503, fault.Internal: 500} {
		api := newAPI(t, failing{err: fault.New(kind, "")})
		for _, path := range []string{"check?productId=1", "products", "products/1"} {
			if w := get(t, api, "/api/inventory/"+path); w.Code != status {
				t.Errorf("%s: %d, want %d", path, w.Code, status)
			}
		}
	}
}
