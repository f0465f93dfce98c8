package world_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"parley.sh/hack/sim/client"
)

func TestOneKeyHasOneMeaning(t *testing.T) {
	t.Parallel()
	l := open(t)
	first := l.authorize("o1", "k", "tok_ok")
	id := payment(t, first).AuthorizationId
	tests := map[string]struct{ path, key, body string }{
		"another order":     {"/payments/authorize", "k", authorization("o2", "tok_ok")},
		"another token":     {"/payments/authorize", "k", authorization("o1", "tok_slow")},
		"another amount":    {"/payments/authorize", "k", `{"orderId":"o1","amount":{"amountMinor":1,"currency":"EUR"},"token":"tok_ok"}`},
		"another operation": {"/payments/capture", "k", `{"orderId":"o1"}`},
	}
	for name, tt := range tests {
		if s := l.post(t.Context(), tt.path, tt.key, tt.body); s.status != 422 || s.code != client.CodeKeyReused {
			t.Errorf("%s: got %+v, want 422 key_reused", name, s)
		}
	}
	if s := l.on("capture", "o1", "c"); s.status != 200 {
		t.Errorf("capture: got %+v", s)
	}
	if s := l.post(t.Context(), "/payments/capture", "c", `{"authorizationId":"`+id+`"}`); s.status != 422 {
		t.Errorf("the same payment by another name: got %+v, want 422", s)
	}
	if s := l.label("o1", "k", "x"); s.status != 200 {
		t.Errorf("the carrier knows a key of the provider: %+v", s)
	}
	if s := l.authorize("o1", "k", "tok_ok"); !s.replayed || s.body != first.body {
		t.Errorf("got %+v, want the first answer", s)
	}
	// The same parameters in another order and with other spaces are the same.
	reordered := `{ "token":"tok_ok", "amount":{"currency":"EUR","amountMinor":1250}, "orderId":"o1" }`
	if s := l.post(t.Context(), "/payments/authorize", "k", reordered); !s.replayed || s.body != first.body {
		t.Errorf("got %+v, want the first answer", s)
	}
	if n := len(l.movements()); n != 2 {
		t.Errorf("%d movements, want 2", n)
	}
}

func payment(t *testing.T, s said) client.Payment {
	t.Helper()
	var p client.Payment
	if err := json.Unmarshal([]byte(s.body), &p); err != nil || s.status != 200 {
		t.Fatalf("not a payment: %+v", s)
	}
	return p
}

// A definite answer is for ever, also across restarts; a refusal to look is not.
func TestWhichAnswersAreKept(t *testing.T) {
	t.Parallel()
	l := open(t)
	if s := l.on("capture", "o", "c"); s.status != 404 {
		t.Errorf("got %+v, want 404", s)
	}
	if s := l.authorize("o", "a", "tok_ok"); s.status != 200 {
		t.Errorf("got %+v, want 200", s)
	}
	if s := l.on("refund", "o", "r"); s.status != 409 || s.code != client.CodeNotCaptured {
		t.Errorf("got %+v, want 409 not_captured", s)
	}
	if s := l.on("capture", "o", "c"); s.status != 200 || s.replayed {
		t.Errorf("a key that was answered 404 before: got %+v, want 200", s)
	}
	l.restart()
	if s := l.on("refund", "o", "r"); s.status != 409 || !s.replayed {
		t.Errorf("got %+v, want the 409 replayed", s)
	}
	if s := l.on("refund", "o", "r2"); s.status != 200 {
		t.Errorf("got %+v, want 200", s)
	}
}

func TestEqualRequestsAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"tok_ok", "tok_flaky", "tok_slow", "tok_late", "tok_declined"} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				var mu sync.Mutex
				statuses, bodies, firsts := map[int]int{}, map[string]bool{}, 0
				var wg sync.WaitGroup
				for i := range 100 {
					wg.Go(func() {
						s := l.authorize("o", "k", token)
						if i%2 == 0 {
							s = l.label("o", "k", token)
						}
						mu.Lock()
						defer mu.Unlock()
						statuses[s.status]++
						if s.status == 503 {
							return
						}
						bodies[s.body] = true
						if !s.replayed {
							firsts++
						}
					})
				}
				wg.Wait()
				effects := 1
				if token == "tok_declined" {
					effects = 0
				}
				if m, p := len(l.movements()), len(l.parcels()); m != effects || p != effects {
					t.Errorf("%d movements and %d parcels, want %d of each", m, p, effects)
				}
				if token == "tok_flaky" && statuses[503] < 2 || token != "tok_flaky" && statuses[503] != 0 {
					t.Errorf("%d answers 503", statuses[503])
				}
				if len(bodies) > 2 || firsts > 2 || len(statuses) > 2 {
					t.Errorf("%d bodies, %d first answers, statuses %v", len(bodies), firsts, statuses)
				}
				l.stop()
			})
		})
	}
}

func TestCapturesRaceUnderDifferentKeys(t *testing.T) {
	t.Parallel()
	l := open(t)
	l.authorize("o", "a", "tok_ok")
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			op := []string{"capture", "void"}[i%2]
			s := l.on(op, "o", fmt.Sprint(i))
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(s.status)]++
		})
	}
	wg.Wait()
	if got["200"] != 1 || got["409"] != 49 {
		t.Errorf("got %v, want one 200 and 49 times 409", got)
	}
	if n := len(l.movements()); n != 2 {
		t.Errorf("%d movements, want 2", n)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before    []string
		operation string
		code      client.Code
	}{
		"capture, captured": {[]string{"capture"}, "capture", client.CodeAlreadyDone},
		"capture, voided":   {[]string{"void"}, "capture", client.CodeVoided},
		"capture, refunded": {[]string{"capture", "refund"}, "capture", client.CodeRefunded},
		"void, captured":    {[]string{"capture"}, "void", client.CodeCaptured},
		"void, voided":      {[]string{"void"}, "void", client.CodeAlreadyDone},
		"void, refunded":    {[]string{"capture", "refund"}, "void", client.CodeRefunded},
		"refund, held":      {nil, "refund", client.CodeNotCaptured},
		"refund, voided":    {[]string{"void"}, "refund", client.CodeVoided},
		"refund, refunded":  {[]string{"capture", "refund"}, "refund", client.CodeAlreadyDone},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t)
			id := payment(t, l.authorize("o", "a", "tok_ok")).AuthorizationId
			for _, op := range tt.before {
				if s := l.on(op, "o", op); s.status != 200 {
					t.Fatalf("%s: got %+v", op, s)
				}
			}
			body := `{"authorizationId":"` + id + `"}`
			if s := l.post(t.Context(), "/payments/"+tt.operation, "k", body); s.status != 409 || s.code != tt.code {
				t.Errorf("got %+v, want 409 %s", s, tt.code)
			}
			if n := len(l.movements()); n != 1+len(tt.before) {
				t.Errorf("%d movements, want %d", n, 1+len(tt.before))
			}
		})
	}
}

// A provider does not know that two authorizations of one order are a mistake.
func TestSeveralAuthorizationsOfAnOrder(t *testing.T) {
	t.Parallel()
	l := open(t)
	id := payment(t, l.authorize("o", "a1", "tok_ok")).AuthorizationId
	l.authorize("o", "a2", "tok_ok")
	l.authorize("o.x", "a3", "tok_ok") // whose id begins like the other's
	if s := l.on("capture", "o", "c"); s.status != 409 && s.code != client.CodeAmbiguous {
		t.Errorf("got %+v, want 409 ambiguous", s)
	}
	if s := l.post(t.Context(), "/payments/capture", "c2", `{"authorizationId":"`+id+`"}`); s.status != 200 {
		t.Errorf("got %+v, want 200", s)
	}
	if s := l.on("void", "o.x", "v"); s.status != 200 {
		t.Errorf("got %+v, want 200", s)
	}
	kinds := ""
	for _, m := range l.movements() {
		kinds += string(m.Kind)[:1]
	}
	if kinds != "aaacv" {
		t.Errorf("movements %q, want aaacv", kinds)
	}
}

func TestMovementsAndParcelsSayEverything(t *testing.T) {
	t.Parallel()
	l := open(t)
	p := payment(t, l.authorize("o", "ka", "tok_ok"))
	l.on("capture", "o", "kc")
	l.label("o", "kl", "1 Main Street")
	all := l.movements()
	for i, want := range []struct {
		kind client.MovementKind
		key  string
	}{{client.MovementKindAuthorize, "ka"}, {client.MovementKindCapture, "kc"}} {
		m := all[i]
		if m.Kind != want.kind || m.Key != want.key || m.OrderId != "o" || m.AuthorizationId != p.AuthorizationId ||
			m.Amount.AmountMinor != 1250 || m.Amount.Currency != "EUR" || m.At.IsZero() {
			t.Errorf("movement %+v", m)
		}
	}
	parcel := l.parcels()[0]
	if parcel.Key != "kl" || parcel.OrderId != "o" || parcel.Address != "1 Main Street" || parcel.Level != client.Express ||
		parcel.TrackingNumber == "" || parcel.At.IsZero() || parcel.Sequence != 1 {
		t.Errorf("parcel %+v", parcel)
	}
}

func TestPagesMakeUpTheStatement(t *testing.T) {
	t.Parallel()
	l := open(t)
	for i := range 45 {
		l.authorize("o", fmt.Sprint(i), "tok_ok")
	}
	for _, limit := range []int{1, 7, 45, 46, 1000} {
		var after, seen int64
		for pages := 0; ; pages++ {
			var p client.MovementPage
			l.get(fmt.Sprintf("/statement/payments?after=%d&limit=%d", after, limit), &p)
			for _, m := range p.Movements {
				seen++
				if m.Sequence != seen {
					t.Fatalf("limit %d: got sequence %d, want %d", limit, m.Sequence, seen)
				}
			}
			if p.Next == nil {
				break
			}
			if after = *p.Next; after != seen || pages > 45 {
				t.Fatalf("limit %d: next is %d after %d entries", limit, after, seen)
			}
		}
		if seen != 45 {
			t.Errorf("limit %d: %d entries, want 45", limit, seen)
		}
	}
}
