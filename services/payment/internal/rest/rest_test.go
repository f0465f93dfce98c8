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

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/web"
	"parley.sh/services/payment/client"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/rest"
	"parley.sh/services/payment/machine"
)

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

// payments is a rest.Payments made of a function.
type payments func(orderID string) (payment.View, error)

func (p payments) View(_ context.Context, orderID string) (payment.View, error) { return p(orderID) }

func document(t *testing.T) *openapi3.T {
	t.Helper()
	data, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// get asks the API over p.
func get(t *testing.T, p payments, path string) *httptest.ResponseRecorder {
	t.Helper()
	server, err := web.New(web.Config{
		Addr: "127.0.0.1:0", MaxBodyBytes: 4096, MaxHeaderBytes: 16384, ReadTimeout: 5 * time.Second,
		RequestTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 100, MaxStreams: 1,
	}, web.Options{Service: "payment", Spec: document(t), Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	rest.Register(server.Engine, rest.Handler{Payments: p})
	w := httptest.NewRecorder()
	server.Engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestGetPayment(t *testing.T) {
	t.Parallel()
	euros := func(n int64) payment.Money { return payment.Money{Minor: n, Currency: "EUR"} }
	tests := map[string]struct {
		view payment.View
		want string
	}{
		"captured": {
			payment.View{
				Payment: payment.Payment{OrderID: orderID, State: machine.Captured, Amount: euros(7), Token: "tok_secret", ProviderRef: "auth_1"},
				Lines: []payment.Line{
					{Kind: machine.Authorize, Account: payment.Customer, Amount: euros(-7)},
					{Kind: machine.Authorize, Account: payment.Held, Amount: euros(7)},
				},
			},
			`{"orderId":"` + orderID + `","state":"captured","amount":{"amountMinor":7,"currency":"EUR"},"ledger":[` +
				`{"movement":"authorize","account":"customer","amount":{"amountMinor":-7,"currency":"EUR"}},` +
				`{"movement":"authorize","account":"held","amount":{"amountMinor":7,"currency":"EUR"}}]}`,
		},
		"a tombstone": {
			payment.View{Payment: payment.Payment{OrderID: orderID, State: machine.Tombstone}},
			`{"orderId":"` + orderID + `","state":"tombstone","ledger":[]}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, func(id string) (payment.View, error) {
				if id != orderID {
					t.Errorf("asked for %q", id)
				}
				return tc.view, nil
			}, "/api/payments/"+orderID)
			var got, want any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			if err := json.Unmarshal([]byte(tc.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "tok_secret") {
				t.Error("the token is nobody's business")
			}
		})
	}
}

// Every state, movement and account of the domain is one of the document's.
func TestDocumentKnowsTheDomain(t *testing.T) {
	t.Parallel()
	schemas := document(t).Components.Schemas
	has := func(schema, property, value string) {
		t.Helper()
		if !slices.Contains(schemas[schema].Value.Properties[property].Value.Enum, any(value)) {
			t.Errorf("%s of %s does not list %q", property, schema, value)
		}
	}
	for _, s := range []machine.State{
		machine.Authorizing, machine.Authorized, machine.Declined, machine.Capturing, machine.Captured, machine.Voiding,
		machine.Voided, machine.Refunding, machine.Refunded, machine.Tombstone,
	} {
		has("Payment", "state", string(s))
	}
	for _, k := range []machine.Intent{machine.Authorize, machine.Capture, machine.Void, machine.Refund} {
		e := payment.EntryOf(payment.Intent{Kind: k})
		has("LedgerLine", "movement", string(k))
		has("LedgerLine", "account", string(e.From))
		has("LedgerLine", "account", string(e.To))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path   string
		err    error
		status int
		field  string
	}{
		"unknown":       {"/api/payments/" + orderID, fault.New(fault.NotFound, "there is no payment of this order"), 404, ""},
		"unavailable":   {"/api/payments/" + orderID, fault.New(fault.Unavailable, ""), 503, ""},
		"broken":        {"/api/payments/" + orderID, fault.New(fault.Internal, "secret"), 500, ""},
		"no id":         {"/api/payments/1", nil, 400, "orderId"},
		"in capitals":   {"/api/payments/" + strings.ToUpper(orderID), nil, 400, "orderId"},
		"an injection":  {"/api/payments/" + orderID + "'--", nil, 400, "orderId"},
		"no such place": {"/api/payments", nil, 404, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, func(string) (payment.View, error) {
				if tc.err == nil {
					t.Error("it reached the store")
				}
				return payment.View{}, tc.err
			}, tc.path)
			var p client.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Code != tc.status || p.Status != tc.status || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tc.status)
			}
			if tc.field != "" && (p.Errors == nil || (*p.Errors)[0].Field != tc.field) {
				t.Errorf("%s does not name %s", w.Body, tc.field)
			}
		})
	}
}
