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
	"parley.sh/services/shipping/client"
	"parley.sh/services/shipping/internal/rest"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/internal/store/storetest"
	"parley.sh/services/shipping/machine"
)

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

// shipments is a rest.Shipments made of a function.
type shipments func(orderID string) (shipping.Shipment, error)

func (s shipments) View(_ context.Context, orderID string) (shipping.Shipment, error) {
	return s(orderID)
}

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

// get asks the API over s.
func get(t *testing.T, s shipments, path string) *httptest.ResponseRecorder {
	t.Helper()
	server, err := web.New(web.Config{
		Addr: "127.0.0.1:0", MaxBodyBytes: 4096, MaxHeaderBytes: 16384, ReadTimeout: 5 * time.Second,
		RequestTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 100, MaxStreams: 1,
	}, web.Options{Service: "shipping", Spec: document(t), Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	rest.Register(server.Engine, rest.Handler{Shipments: s})
	w := httptest.NewRecorder()
	server.Engine.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestGetShipment(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		shipment shipping.Shipment
		want     string
	}{
		"dispatched": {
			shipping.Shipment{
				OrderID: orderID, OrderVersion: 2, State: machine.Dispatched, Level: "express", Address: "1 Secret Street", TrackingNumber: "trk_1",
			},
			`{"orderId":"` + orderID + `","state":"dispatched","level":"express","trackingNumber":"trk_1"}`,
		},
		"on its way": {
			shipping.Shipment{OrderID: orderID, State: machine.Labelling, Level: "standard"},
			`{"orderId":"` + orderID + `","state":"labelling","level":"standard"}`,
		},
		"a tombstone": {
			shipping.Shipment{OrderID: orderID, State: machine.Cancelled},
			`{"orderId":"` + orderID + `","state":"cancelled"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, func(id string) (shipping.Shipment, error) {
				if id != orderID {
					t.Errorf("asked for %q", id)
				}
				return tc.shipment, nil
			}, "/api/shipments/"+orderID)
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
			if strings.Contains(w.Body.String(), "Secret Street") {
				t.Error("the address is nobody's business")
			}
		})
	}
}

// Every state of the machine is one of the document's.
func TestDocumentKnowsTheStates(t *testing.T) {
	t.Parallel()
	states := document(t).Components.Schemas["Shipment"].Value.Properties["state"].Value.Enum
	for _, s := range storetest.States {
		if s != machine.None && !slices.Contains(states, any(string(s))) {
			t.Errorf("the document does not list %q", s)
		}
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
		"unknown":       {"/api/shipments/" + orderID, fault.New(fault.NotFound, "there is no shipment of this order"), 404, ""},
		"unavailable":   {"/api/shipments/" + orderID, fault.New(fault.Unavailable, ""), 503, ""},
		"broken":        {"/api/shipments/" + orderID, fault.New(fault.Internal, "secret"), 500, ""},
		"no id":         {"/api/shipments/1", nil, 400, "orderId"},
		"in capitals":   {"/api/shipments/" + strings.ToUpper(orderID), nil, 400, "orderId"},
		"an injection":  {"/api/shipments/" + orderID + "'--", nil, 400, "orderId"},
		"no such place": {"/api/shipments", nil, 404, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(t, func(string) (shipping.Shipment, error) {
				if tc.err == nil {
					t.Error("it reached the store")
				}
				return shipping.Shipment{}, tc.err
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
