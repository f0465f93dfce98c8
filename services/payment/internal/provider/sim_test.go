package provider_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/hack/sim/client"
	"parley.sh/hack/sim/world"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/rest"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/provider"
	"parley.sh/services/payment/machine"
)

// delay is that of the simulator's slow and late tokens: several attempts long.
const delay = 300 * time.Millisecond

// simulator runs the simulated provider until the test ends, and returns its URL.
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
func insist(t *testing.T, p *provider.Provider, i payment.Intent) (r payment.Result, unknown int) {
	t.Helper()
	for {
		r, err := p.Call(t.Context(), i)
		if err == nil {
			return r, unknown
		}
		if !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%s: %v", i.Kind, err)
		}
		unknown++
	}
}

// statement lists what really happened at the provider.
func statement(t *testing.T, url string) []string {
	t.Helper()
	c, err := client.NewClientWithResponses(url)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.ListMovementsWithResponse(t.Context(), nil)
	if err != nil || r.JSON200 == nil {
		t.Fatalf("%v %s", err, r.Body)
	}
	var list []string
	for _, m := range r.JSON200.Movements {
		list = append(list, string(m.Kind))
		if m.Amount.AmountMinor != 2501 || m.OrderId != orderID {
			t.Errorf("moved %+v", m)
		}
	}
	return list
}

// Whatever the provider does to a call, each intent has one definite outcome, the
// same each time, and moves money once.
func TestEveryToken(t *testing.T) {
	t.Parallel()
	type pair struct {
		kind    machine.Intent
		answer  machine.Answer
		unknown bool // at first; on a busy machine any call may be slow
	}
	authorized, captured := pair{machine.Authorize, machine.Done, false}, pair{machine.Capture, machine.Done, false}
	refunded, voided := pair{machine.Refund, machine.Done, false}, pair{machine.Void, machine.Done, false}
	late := func(p pair) pair { p.unknown = true; return p }
	tests := map[string][]pair{
		"tok_ok":               {authorized, captured, refunded},
		"tok_declined":         {{machine.Authorize, machine.Refused, false}},
		"tok_unheard_of":       {{machine.Authorize, machine.Refused, false}}, // malformed: it never will be done
		"tok_flaky":            {late(authorized), captured, refunded},
		"tok_slow":             {late(authorized), captured, refunded},
		"tok_late":             {late(authorized), captured, refunded},
		"tok_flaky_capture":    {authorized, late(captured), refunded},
		"tok_slow_capture":     {authorized, late(captured), refunded},
		"tok_late_capture":     {authorized, late(captured), refunded},
		"tok_declined_capture": {authorized, {machine.Capture, machine.Refused, false}, voided},
		"tok_flaky_void":       {authorized, late(voided)},
		"tok_slow_void":        {authorized, late(voided)},
		"tok_late_void":        {authorized, late(voided)},
		"tok_flaky_refund":     {authorized, captured, late(refunded)},
		"tok_slow_refund":      {authorized, captured, late(refunded)},
		"tok_late_refund":      {authorized, captured, late(refunded)},
		"tok_late_all":         {late(authorized), late(captured), late(refunded)},
	}
	for token, steps := range tests {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			url := simulator(t)
			p := newProvider(t, url, func(c *rest.Config) { c.AttemptTimeout = delay / 3 })
			i, want := intent(machine.Authorize), []string(nil)
			i.Token = token
			for _, step := range steps {
				i.Kind = step.kind
				got, unknown := insist(t, p, i)
				if got.Answer != step.answer || (step.unknown && unknown == 0) {
					t.Errorf("%s: %s after %d unknown outcomes", step.kind, got.Answer, unknown)
				}
				again, _ := insist(t, p, i)
				if diff := cmp.Diff(got, again); diff != "" {
					t.Errorf("%s, again (-first +again):\n%s", step.kind, diff)
				}
				if got.Answer == machine.Done {
					want = append(want, string(step.kind))
					i.ProviderRef = got.ProviderRef
				}
			}
			if diff := cmp.Diff(want, statement(t, url)); diff != "" {
				t.Errorf("the statement (-want +got):\n%s", diff)
			}
		})
	}
}

// With its usual configuration one call outlasts a provider that fails twice, and
// one that answers late having done the work.
func TestRetriesOfOneCall(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"tok_flaky", "tok_slow"} {
		url := simulator(t)
		p := newProvider(t, url, func(c *rest.Config) {
			*c = rest.DefaultConfig(url)
			c.AttemptTimeout = delay / 3
		})
		i := intent(machine.Authorize)
		i.Token = token
		got, err := p.Call(t.Context(), i)
		if err != nil || got.Answer != machine.Done || !strings.HasPrefix(got.ProviderRef, "auth_") {
			t.Errorf("%s: %+v, %v", token, got, err)
		}
		if diff := cmp.Diff([]string{"authorize"}, statement(t, url)); diff != "" {
			t.Errorf("%s: the statement (-want +got):\n%s", token, diff)
		}
	}
}

// Voided or refunded before, under whatever key, is done.
func TestDoneBefore(t *testing.T) {
	t.Parallel()
	url := simulator(t)
	p := newProvider(t, url, nil)
	raw, err := client.NewClientWithResponses(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []machine.Intent{machine.Void, machine.Refund} {
		i := intent(machine.Authorize)
		i.OrderID = orderID[:35] + string(kind[0]) // its own ids
		authorized, _ := insist(t, p, i)
		i.ProviderRef = authorized.ProviderRef
		reference := client.Reference{AuthorizationId: &i.ProviderRef}
		status := 0
		if kind == machine.Void {
			r, err := raw.VoidPaymentWithResponse(t.Context(), &client.VoidPaymentParams{IdempotencyKey: "by-hand-too"}, reference)
			if err == nil {
				status = r.StatusCode()
			}
		} else {
			i.Kind = machine.Capture
			insist(t, p, i)
			r, err := raw.RefundPaymentWithResponse(t.Context(), &client.RefundPaymentParams{IdempotencyKey: "by-hand"}, reference)
			if err == nil {
				status = r.StatusCode()
			}
		}
		i.Kind = kind
		if got, _ := insist(t, p, i); status != 200 || got.Answer != machine.Done {
			t.Errorf("%s: %d by hand, then %+v", kind, status, got)
		}
	}
}
