package payment_test

import (
	"errors"
	"strings"
	"testing"

	"parley.sh/services/kit/fault"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		declines bool
		messages string
		state    machine.State
		calls    string
		facts    string
	}{
		"authorized":            {false, "place", machine.Authorized, "authorize", "PaymentAuthorized@1"},
		"authorized, again":     {false, "place place", machine.Authorized, "authorize", "PaymentAuthorized@1"},
		"declined":              {true, "place place", machine.Declined, "authorize", "PaymentDeclined@1"},
		"captured":              {false, "place fulfil place fulfil", machine.Captured, "authorize capture", "PaymentAuthorized@1 PaymentCaptured@2"},
		"voided":                {false, "place undo undo fulfil", machine.Voided, "authorize void", "PaymentAuthorized@1 PaymentVoided@2"},
		"declined and undone":   {true, "place undo undo", machine.Voided, "authorize", "PaymentDeclined@1 PaymentVoided@2"},
		"refunded":              {false, "place fulfil undo undo fulfil", machine.Refunded, "authorize capture refund", "PaymentAuthorized@1 PaymentCaptured@2 PaymentRefunded@3"},
		"undone before it came": {false, "undo place fulfil undo", machine.Tombstone, "", "PaymentVoided@1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			if tc.declines {
				w.answer = func(payment.Intent) (payment.Result, error) { return refused() }
			}
			w.must(strings.Fields(tc.messages)...)
			same(t, "state", tc.state, w.store.Payment(orderID).State)
			same(t, "calls", tc.calls, w.called())
			same(t, "facts", tc.facts, w.facts())
			moved := tc.calls
			if tc.declines {
				moved = ""
			}
			same(t, "ledger", moved, w.ledger())
		})
	}
}

// What is called and what is announced has the amount, the token and the reference
// of the service's own row.
func TestCallsAndFactsSayWhatTheRowSays(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.must("place", "fulfil", "undo")
	intent := func(kind machine.Intent, version int, ref string) payment.Intent {
		return payment.Intent{OrderID: orderID, Kind: kind, OrderVersion: version, Amount: storetest.Amount, Token: "tok_ok", ProviderRef: ref}
	}
	same(t, "calls", []payment.Intent{
		intent(machine.Authorize, 1, ""), intent(machine.Capture, 2, "auth_1"), intent(machine.Refund, 3, "auth_1"),
	}, w.calls)
	fact := func(f machine.Fact, version int) payment.Announcement {
		return payment.Announcement{Fact: f, OrderID: orderID, OrderVersion: version, Amount: &storetest.Amount, ProviderRef: "auth_1"}
	}
	same(t, "facts", []payment.Announcement{
		fact(machine.PaymentAuthorized, 1), fact(machine.PaymentCaptured, 2), fact(machine.PaymentRefunded, 3),
	}, w.store.Facts())
	total := map[payment.Account]int64{}
	for _, e := range w.store.Entries() {
		for _, line := range e.Lines() {
			total[line.Account] += line.Amount.Minor
		}
	}
	same(t, "what the accounts are left with", map[payment.Account]int64{payment.Customer: 0, payment.Held: 0, payment.Revenue: 0}, total)
}

// An unknown outcome leaves the intent open and the message unfinished; its next
// attempt makes the same call under the same id.
func TestUnknownOutcomeIsAskedForByTheSameCall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before []string
		what   string
		open   machine.State
		end    machine.State
	}{
		"authorize": {nil, "place", machine.Authorizing, machine.Authorized},
		"capture":   {[]string{"place"}, "fulfil", machine.Capturing, machine.Captured},
		"void":      {[]string{"place"}, "undo", machine.Voiding, machine.Voided},
		"refund":    {[]string{"place", "fulfil"}, "undo", machine.Refunding, machine.Refunded},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			w.must(tc.before...)
			facts, m := w.facts(), storetest.Message()
			w.calls = nil
			w.answer = func(payment.Intent) (payment.Result, error) { return payment.Result{}, errUnknown }
			for range 3 {
				if err := w.tell(tc.what, 7, m); !fault.Is(err, fault.Unavailable) {
					t.Errorf("got %v, want Unavailable", err)
				}
				if p := w.store.Payment(orderID); p.State != tc.open || w.store.Ended(m) || w.facts() != facts {
					t.Errorf("the payment is %s, the message ended: %v, facts %s", p.State, w.store.Ended(m), w.facts())
				}
			}
			w.answer = nil
			if err := w.tell(tc.what, 7, m); err != nil || !w.store.Ended(m) {
				t.Errorf("at last: %v", err)
			}
			same(t, "state", tc.end, w.store.Payment(orderID).State)
			for _, c := range w.calls {
				same(t, "every call", w.calls[0], c)
				same(t, "its id", w.calls[0].ID(), c.ID())
			}
			same(t, "number of calls", 4, len(w.calls))
		})
	}
}

// A cancellation that finds another message's intent open finishes it first, under
// its own id, and then does its own. It records the other's fact, and leaves the other
// message to end by itself.
func TestAnothersIntentIsFinishedFirst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before  []string
		what    string
		refuses bool
		calls   string
		facts   string
		state   machine.State
	}{
		"authorize":          {nil, "place", false, "authorize authorize authorize void", "PaymentAuthorized@7 PaymentVoided@8", machine.Voided},
		"authorize, refused": {nil, "place", true, "authorize authorize authorize", "PaymentDeclined@7 PaymentVoided@8", machine.Voided},
		"capture": {
			[]string{"place"},
			"fulfil", false, "authorize capture capture capture refund",
			"PaymentAuthorized@1 PaymentCaptured@7 PaymentRefunded@8", machine.Refunded,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			w.must(tc.before...)
			w.answer = func(payment.Intent) (payment.Result, error) { return payment.Result{}, errUnknown }
			first, undo := storetest.Message(), storetest.Message()
			if err := w.tell(tc.what, 7, first); err == nil {
				t.Fatal("the outcome is not known")
			}
			if err := w.tell("undo", 8, undo); !fault.Is(err, fault.Unavailable) || w.store.Ended(undo) {
				t.Errorf("while the other's outcome is unknown: %v", err)
			}
			w.answer = func(payment.Intent) (payment.Result, error) {
				if tc.refuses {
					return refused()
				}
				return done()
			}
			if err := w.tell("undo", 8, undo); err != nil || !w.store.Ended(undo) {
				t.Fatal(err)
			}
			if w.store.Ended(first) {
				t.Error("the cancellation ended another message")
			}
			calls := w.called()
			if err := w.tell(tc.what, 7, first); err != nil || !w.store.Ended(first) {
				t.Errorf("the other comes round: %v", err)
			}
			same(t, "calls", tc.calls, calls)
			same(t, "calls afterwards", calls, w.called())
			same(t, "facts", tc.facts, w.facts())
			same(t, "state", tc.state, w.store.Payment(orderID).State)
			ids := map[machine.Intent]string{}
			for _, c := range w.calls {
				if id, ok := ids[c.Kind]; ok && id != c.ID() {
					t.Errorf("%s was called under two ids", c.Kind)
				}
				ids[c.Kind] = c.ID()
			}
		})
	}
}

// A provider that refuses for good what it owes is no business fact: the intent
// stays open, nothing is announced, and the message is kept.
func TestRefusedDebtIsKept(t *testing.T) {
	t.Parallel()
	tests := map[machine.State]struct {
		before []string
		what   string
	}{
		machine.Capturing: {[]string{"place"}, "fulfil"},
		machine.Voiding:   {[]string{"place"}, "undo"},
		machine.Refunding: {[]string{"place", "fulfil"}, "undo"},
	}
	for state, tc := range tests {
		w := &world{t: t}
		w.must(tc.before...)
		facts, moved, m := w.facts(), w.ledger(), storetest.Message()
		w.answer = func(payment.Intent) (payment.Result, error) { return refused() }
		for range 2 {
			err := w.tell(tc.what, 5, m)
			var refusal *machine.RefusedError
			if !errors.As(err, &refusal) || !fault.Is(err, fault.Internal) {
				t.Errorf("%s: got %v, want an Internal *RefusedError", state, err)
			}
		}
		same(t, "state", state, w.store.Payment(orderID).State)
		if w.store.Ended(m) || w.facts() != facts || w.ledger() != moved {
			t.Errorf("%s: a refusal had an effect: %s, %s", state, w.facts(), w.ledger())
		}
	}
}

// A handler that stalls between its call and its record finds that others went on,
// and writes nothing over them: its message ends silently.
func TestStalledHandlerOverwritesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before    []string
		what      string
		meanwhile []string
		state     machine.State
		facts     string
	}{
		"authorized and voided meanwhile": {nil, "place", []string{"undo"}, machine.Voided, "PaymentAuthorized@7 PaymentVoided@1"},
		"captured and refunded meanwhile": {
			[]string{"place"},
			"fulfil",
			[]string{"undo"},
			machine.Refunded,
			"PaymentAuthorized@1 PaymentCaptured@7 PaymentRefunded@1",
		},
		"joined by a repeat": {[]string{"place"}, "fulfil", []string{"fulfil"}, machine.Captured, "PaymentAuthorized@1 PaymentCaptured@7"},
		"gone on from there": {nil, "place", []string{"place", "fulfil"}, machine.Captured, "PaymentAuthorized@7 PaymentCaptured@2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t}
			w.must(tc.before...)
			stalls := true
			w.answer = func(payment.Intent) (payment.Result, error) {
				if stalls {
					stalls = false
					w.must(tc.meanwhile...)
				}
				return done()
			}
			m := storetest.Message()
			if err := w.tell(tc.what, 7, m); err != nil || !w.store.Ended(m) {
				t.Errorf("the stalled one: %v", err)
			}
			same(t, "state", tc.state, w.store.Payment(orderID).State)
			same(t, "facts", tc.facts, w.facts())
		})
	}
}

// A stalled handler that learns of a refusal after others learnt of success, or the
// other way round, changes nothing either: the first answer stands.
func TestLateAnswerIsIgnored(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	calls := 0
	w.answer = func(payment.Intent) (payment.Result, error) {
		if calls++; calls == 1 {
			w.must("place")
			return refused()
		}
		return done()
	}
	if err := w.tell("place", 7, storetest.Message()); err != nil {
		t.Error(err)
	}
	same(t, "state", machine.Authorized, w.store.Payment(orderID).State)
	same(t, "facts", "PaymentAuthorized@7", w.facts())
}
