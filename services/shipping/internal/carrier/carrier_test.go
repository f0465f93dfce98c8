package carrier_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/hack/sim/client"
	"parley.sh/hack/sim/world"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/shipping/internal/carrier"
	"parley.sh/services/shipping/internal/shipping"
	"parley.sh/services/shipping/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

// newCarrier returns the adapter for a server at url, with every attempt a call.
func newCarrier(t *testing.T, url string, change func(*rest.Config)) *carrier.Carrier {
	t.Helper()
	cfg := rest.DefaultConfig(url)
	cfg.Attempts, cfg.BreakerShare, cfg.AttemptTimeout = 1, 0, 10*time.Second
	cfg.Timeout = 10 * time.Second
	if change != nil {
		change(&cfg)
	}
	c := rest.New(cfg, rest.Options{Name: "carrier"})
	t.Cleanup(c.Close)
	api, err := carrier.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func shipment(address string) shipping.Shipment {
	return shipping.Shipment{OrderID: orderID, OrderVersion: 2, State: machine.Labelling, Level: "express", Address: address}
}

const good = `{"trackingNumber":"trk_1","orderId":"` + orderID + `","level":"express","at":"2026-11-23T09:00:00Z","addedLater":1}`

// answering serves one answer to everything, and keeps the last request.
type answering struct {
	status     int
	kind, body string

	mu      sync.Mutex
	request string
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.request = r.Method + " " + r.URL.Path + " " + r.Header.Get("Idempotency-Key") + " " + string(sent)
	a.mu.Unlock()
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (a *answering) label(t *testing.T) (shipping.Result, error) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	return newCarrier(t, server.URL, nil).Label(t.Context(), shipment("1 High Street"))
}

// A call says what the shipment says, under the label's id.
func TestRequest(t *testing.T) {
	t.Parallel()
	a := &answering{status: 200, kind: "application/json", body: good}
	got, err := a.label(t)
	if diff := cmp.Diff(shipping.Result{Answer: machine.Labelled, TrackingNumber: "trk_1"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	want := "POST /labels " + shipment("").LabelID() + ` {"address":"1 High Street","level":"express","orderId":"` + orderID + `"}`
	if diff := cmp.Diff(want, strings.TrimSpace(a.request)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Only what is definite is an answer; for everything else the outcome is unknown,
// and only what waiting may change is Unavailable.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const document, problem = "application/json", "application/problem+json"
	code := func(c string) string { return `{"type":"about:blank","title":"x","status":400,"code":"` + c + `"}` }
	tests := map[string]struct {
		status     int
		kind, body string
		want       machine.Answer
		unknown    fault.Kind
	}{
		"labelled":                   {200, document, good, machine.Labelled, 0},
		"declined":                   {402, problem, code("declined"), machine.Refused, 0},
		"malformed":                  {400, problem, code("invalid"), machine.Refused, 0},
		"402 for another reason":     {402, problem, code("quota"), "", fault.Internal},
		"declined, but by a 500":     {500, problem, code("declined"), "", fault.Unavailable},
		"declined, but by a 503":     {503, problem, code("declined"), "", fault.Unavailable},
		"done before":                {409, problem, code("already_done"), "", fault.Internal},
		"not found":                  {404, problem, code("invalid"), "", fault.Internal},
		"the key was used otherwise": {422, problem, code("key_reused"), "", fault.Internal},
		"not allowed":                {401, problem, code("invalid"), "", fault.Internal},
		"too large":                  {413, problem, code("invalid"), "", fault.Internal},
		"too many":                   {429, problem, code("invalid"), "", fault.Unavailable},
		"too slow":                   {408, "text/html", "", "", fault.Unavailable},
		"broken":                     {500, "text/plain", "panic", "", fault.Unavailable},
		"down":                       {503, problem, code("unavailable"), "", fault.Unavailable},
		"behind a proxy":             {504, "text/html", "<html>", "", fault.Unavailable},
		"moved":                      {307, "text/html", "", "", fault.Internal},
		"no document":                {200, "text/html", "<html>", "", fault.Internal},
		"no body":                    {204, "", "", "", fault.Internal},
		"cut off":                    {200, document, good[:20], "", fault.Internal},
		"no tracking number":         {200, document, strings.Replace(good, "trk_1", "", 1), "", fault.Internal},
		"of another order":           {200, document, strings.Replace(good, orderID, "x", 1), "", fault.Internal},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := (&answering{status: tc.status, kind: tc.kind, body: tc.body}).label(t)
			if got.Answer != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("got %q, %v; want %q", got.Answer, err, tc.want)
			}
			if err != nil && !fault.Is(err, tc.unknown) {
				t.Errorf("got %v, want %s", err, tc.unknown)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := newCarrier(t, gone.URL, nil).Label(t.Context(), shipment("")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("nobody listens: got %v, want Unavailable", err)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	short := func(c *rest.Config) { c.AttemptTimeout = 20 * time.Millisecond }
	if _, err := newCarrier(t, silent.URL, short).Label(t.Context(), shipment("")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no answer in time: got %v, want Unavailable", err)
	}
}

// delay is that of the simulator's slow and late tokens: several attempts long.
const delay = 300 * time.Millisecond

// simulator runs the simulated carrier until the test ends, and returns its URL.
func simulator(t *testing.T) string {
	t.Helper()
	w, err := world.Open(world.Options{Path: filepath.Join(t.TempDir(), "world.db"), Slow: delay})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	server := httptest.NewServer(w.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections() // those that wait for a late answer
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return server.URL
}

// insist calls until the outcome is known, as redelivery does, and returns how often
// it was not.
func insist(t *testing.T, c *carrier.Carrier, s shipping.Shipment) (r shipping.Result, unknown int) {
	t.Helper()
	for {
		r, err := c.Label(t.Context(), s)
		if err == nil {
			return r, unknown
		}
		if !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
		unknown++
	}
}

// parcels lists what the carrier has on its way.
func parcels(t *testing.T, url string) []string {
	t.Helper()
	c, err := client.NewClientWithResponses(url)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.ListParcelsWithResponse(t.Context(), nil)
	if err != nil || r.JSON200 == nil {
		t.Fatalf("%v %s", err, r.Body)
	}
	var list []string
	for _, p := range r.JSON200.Parcels {
		list = append(list, p.TrackingNumber)
	}
	return list
}

// Whatever the carrier does to a call, a shipment has one definite outcome, the same
// each time, and one parcel or none.
func TestEveryToken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer  machine.Answer
		unknown bool // at first; on a busy machine any call may be slow
	}{
		"1 High Street":                 {machine.Labelled, false},
		"1 High Street tok_ok":          {machine.Labelled, false},
		"tok_declined, 1 High Street":   {machine.Refused, false},
		"1 High Street tok_unheard_of":  {machine.Refused, false}, // malformed: it never will be done
		"1 High Street tok_flaky":       {machine.Labelled, true},
		"1 High Street tok_slow":        {machine.Labelled, true},
		"1 High Street tok_late":        {machine.Labelled, true},
		"1 High Street tok_late_label":  {machine.Labelled, true},
		"1 High Street tok_flaky_all":   {machine.Labelled, true},
		"1 High Street tok_slow_refund": {machine.Labelled, false},
	}
	for address, tc := range tests {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			url := simulator(t)
			c := newCarrier(t, url, func(c *rest.Config) { c.AttemptTimeout = delay / 3 })
			got, unknown := insist(t, c, shipment(address))
			if got.Answer != tc.answer || (tc.unknown && unknown == 0) {
				t.Errorf("%s after %d unknown outcomes", got.Answer, unknown)
			}
			again, _ := insist(t, c, shipment(address))
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("again (-first +again):\n%s", diff)
			}
			var want []string
			if tc.answer == machine.Labelled {
				want = []string{got.TrackingNumber}
			}
			if diff := cmp.Diff(want, parcels(t, url)); diff != "" {
				t.Errorf("parcels (-want +got):\n%s", diff)
			}
		})
	}
}
