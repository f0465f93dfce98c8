package stock_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/stock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask asks a server that answers in one way for product "a-1".
func ask(t *testing.T, status int, contentType, body string) (order.Level, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/inventory/check" || r.URL.RawQuery != "productId=a-1" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	cfg := rest.DefaultConfig(server.URL)
	cfg.Attempts, cfg.AttemptTimeout = 1, 5*time.Second
	client := rest.New(cfg, rest.Options{Name: "inventory"})
	defer client.Close()
	inventory, err := stock.New(client)
	if err != nil {
		t.Fatal(err)
	}
	return inventory.Level(t.Context(), "a-1")
}

func TestLevel(t *testing.T) {
	t.Parallel()
	const document, problem = "application/json", "application/problem+json"
	tests := map[string]struct {
		status            int
		contentType, body string
		want              order.Level
		kind              fault.Kind // of the error; the want has none
		failed            bool
	}{
		"in stock": {
			200, document, `{"productId":"a-1","available":true,"stock":50,"unitPrice":{"amountMinor":1250,"currency":"EUR"},"new":1}`,
			order.Level{Stock: 50, Price: order.Money{AmountMinor: 1250, Currency: "EUR"}},
			0, false,
		},
		"without a price":      {200, document, `{"productId":"a-1","available":true,"stock":50}`, order.Level{Stock: 50}, 0, false},
		"unknown product":      {404, problem, `{"status":404}`, order.Level{}, fault.NotFound, true},
		"down":                 {503, problem, `{"status":503}`, order.Level{}, fault.Unavailable, true},
		"at its limit":         {429, problem, `{"status":429}`, order.Level{}, fault.Unavailable, true},
		"broken":               {500, "text/plain", "panic", order.Level{}, fault.Unavailable, true},
		"a refusal is a bug":   {400, problem, `{"status":400,"errors":[{"field":"productId","rule":"x"}]}`, order.Level{}, fault.Internal, true},
		"not JSON":             {200, document, `<html>`, order.Level{}, fault.Internal, true},
		"another content type": {200, "text/html", `<html>`, order.Level{}, fault.Internal, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ask(t, tc.status, tc.contentType, tc.body)
			if (err != nil) != tc.failed || (err != nil && !fault.Is(err, tc.kind)) {
				t.Errorf("got %v, want %s", err, tc.kind)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client := rest.New(rest.DefaultConfig(server.URL), rest.Options{Name: "inventory"})
	defer client.Close()
	inventory, err := stock.New(client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inventory.Level(t.Context(), "a-1"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want Unavailable", err)
	}
}
