package provider_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/provider"
	"parley.sh/services/payment/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

// newProvider returns the adapter for a server at url, with every attempt a call.
func newProvider(t *testing.T, url string, change func(*rest.Config)) *provider.Provider {
	t.Helper()
	cfg := rest.DefaultConfig(url)
	cfg.Attempts, cfg.BreakerShare, cfg.AttemptTimeout = 1, 0, 10*time.Second
	cfg.Timeout = 10 * time.Second
	if change != nil {
		change(&cfg)
	}
	c := rest.New(cfg, rest.Options{Name: "payment provider"})
	t.Cleanup(c.Close)
	p, err := provider.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func intent(kind machine.Intent) payment.Intent {
	i := payment.Intent{
		OrderID: orderID, Kind: kind, OrderVersion: 1, Amount: payment.Money{Minor: 2501, Currency: "EUR"}, Token: "tok_ok",
	}
	if kind != machine.Authorize {
		i.ProviderRef = "auth_1"
	}
	return i
}

var kinds = []machine.Intent{machine.Authorize, machine.Capture, machine.Void, machine.Refund}

const good = `{"authorizationId":"auth_1","orderId":"` + orderID + `","amount":{"amountMinor":2501,"currency":"EUR"},` +
	`"status":"authorized","at":"2026-11-23T09:00:00Z","addedLater":1}`

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

// call has one intent answered so.
func (a *answering) call(t *testing.T, kind machine.Intent) (payment.Result, error) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	return newProvider(t, server.URL, nil).Call(t.Context(), intent(kind))
}

// A call says what the intent says, under the intent's id.
func TestRequests(t *testing.T) {
	t.Parallel()
	want := map[machine.Intent]string{
		machine.Authorize: `{"amount":{"amountMinor":2501,"currency":"EUR"},"orderId":"` + orderID + `","token":"tok_ok"}`,
		machine.Capture:   `{"authorizationId":"auth_1"}`,
		machine.Void:      `{"authorizationId":"auth_1"}`,
		machine.Refund:    `{"authorizationId":"auth_1"}`,
	}
	for _, kind := range kinds {
		a := &answering{status: 200, kind: "application/json", body: good}
		got, err := a.call(t, kind)
		if diff := cmp.Diff(payment.Result{Answer: machine.Done, ProviderRef: "auth_1"}, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", kind, err, diff)
		}
		line := "POST /payments/" + string(kind) + " " + intent(kind).ID() + " " + want[kind]
		if diff := cmp.Diff(line, strings.TrimSpace(a.request)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
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
		refused    []machine.Intent
		done       []machine.Intent
		unknown    fault.Kind // of the others
	}{
		"declined":                     {402, problem, code("declined"), kinds, nil, 0},
		"402 for another reason":       {402, problem, code("quota"), nil, nil, fault.Internal},
		"402 without a problem":        {402, "text/html", "<html>", nil, nil, fault.Internal},
		"declined, but by a 500":       {500, problem, code("declined"), nil, nil, fault.Unavailable},
		"declined, but by a 503":       {503, problem, code("declined"), nil, nil, fault.Unavailable},
		"declined, but by a 409":       {409, problem, code("declined"), nil, nil, fault.Internal},
		"malformed":                    {400, problem, code("invalid"), []machine.Intent{machine.Authorize}, nil, fault.Internal},
		"done before":                  {409, problem, code("already_done"), nil, []machine.Intent{machine.Void, machine.Refund}, fault.Internal},
		"done before, says a 500":      {500, problem, code("already_done"), nil, nil, fault.Unavailable},
		"let go of":                    {409, problem, code("voided"), nil, []machine.Intent{machine.Void}, fault.Internal},
		"given back":                   {409, problem, code("refunded"), nil, []machine.Intent{machine.Refund}, fault.Internal},
		"captured":                     {409, problem, code("captured"), nil, nil, fault.Internal},
		"not captured":                 {409, problem, code("not_captured"), nil, nil, fault.Internal},
		"ambiguous":                    {409, problem, code("ambiguous"), nil, nil, fault.Internal},
		"unknown payment":              {404, problem, code("unknown_payment"), nil, nil, fault.Internal},
		"the key was used otherwise":   {422, problem, code("key_reused"), nil, nil, fault.Internal},
		"not allowed":                  {403, problem, code("invalid"), nil, nil, fault.Internal},
		"a proxy's page":               {405, "text/html", "<html>", nil, nil, fault.Internal},
		"too many":                     {429, problem, code("invalid"), nil, nil, fault.Unavailable},
		"too slow":                     {408, problem, code("invalid"), nil, nil, fault.Unavailable},
		"broken":                       {500, "text/plain", "panic", nil, nil, fault.Unavailable},
		"behind a proxy that lost it":  {502, "text/html", "<html>", nil, nil, fault.Unavailable},
		"down":                         {503, problem, code("unavailable"), nil, nil, fault.Unavailable},
		"moved":                        {302, "text/html", "", nil, nil, fault.Internal},
		"done, says no document":       {200, "text/html", "<html>", nil, nil, fault.Internal},
		"done, without a body":         {204, "", "", nil, nil, fault.Internal},
		"done, cut off":                {200, document, good[:20], nil, nil, fault.Internal},
		"done, of nothing":             {200, document, "{}", nil, nil, fault.Internal},
		"done, but of another order":   {200, document, strings.Replace(good, orderID, "x", 1), nil, nil, fault.Internal},
		"done, but of no payment":      {200, document, strings.Replace(good, "auth_1", "", 1), nil, nil, fault.Internal},
		"accepted, for some time soon": {202, document, "{}", nil, nil, fault.Internal},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range kinds {
				got, err := (&answering{status: tc.status, kind: tc.kind, body: tc.body}).call(t, kind)
				want := machine.Answer("")
				switch {
				case contains(tc.refused, kind):
					want = machine.Refused
				case contains(tc.done, kind):
					want = machine.Done
				case !fault.Is(err, tc.unknown):
					t.Errorf("%s: got %v, want %s", kind, err, tc.unknown)
				}
				if got.Answer != want || (err == nil) != (want != "") {
					t.Errorf("%s: got %q, %v; want %q", kind, got.Answer, err, want)
				}
			}
		})
	}
}

func contains(list []machine.Intent, kind machine.Intent) bool {
	for _, k := range list {
		if k == kind {
			return true
		}
	}
	return false
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := newProvider(t, gone.URL, nil).Call(t.Context(), intent(machine.Capture)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("nobody listens: got %v, want Unavailable", err)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	short := func(c *rest.Config) { c.AttemptTimeout = 20 * time.Millisecond }
	if _, err := newProvider(t, silent.URL, short).Call(t.Context(), intent(machine.Capture)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no answer in time: got %v, want Unavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := newProvider(t, silent.URL, nil).Call(ctx, intent(machine.Capture)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the caller went away: got %v, want Unavailable", err)
	}
}

func TestNoIntentIsADefect(t *testing.T) {
	t.Parallel()
	if _, err := newProvider(t, "http://127.0.0.1:1", nil).Call(t.Context(), intent(machine.NoIntent)); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
}
