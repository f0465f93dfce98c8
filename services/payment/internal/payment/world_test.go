package payment_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
)

const orderID = "01935f2e-7c1a-7000-8000-000000000001"

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// world is the handler over a store in memory and a provider that a test directs.
type world struct {
	t     *testing.T
	store storetest.Memory
	calls []payment.Intent
	// answer is asked before each call has its answer; nil does everything.
	answer func(i payment.Intent) (payment.Result, error)
}

// Call implements payment.Provider. It sees that the intent is committed, and that
// no transaction is open meanwhile: the store in memory would not answer.
func (w *world) Call(_ context.Context, i payment.Intent) (payment.Result, error) {
	if open := w.store.Payment(i.OrderID).State.Open(); open != i.Kind {
		w.t.Errorf("%s was called while the intent to %q is open", i.Kind, open)
	}
	w.calls = append(w.calls, i)
	if w.answer == nil {
		return done()
	}
	return w.answer(i)
}

func done() (payment.Result, error) {
	return payment.Result{Answer: machine.Done, ProviderRef: "auth_1"}, nil
}

func refused() (payment.Result, error) { return payment.Result{Answer: machine.Refused}, nil }

// errUnknown is an outcome that is not known.
var errUnknown = fault.New(fault.Unavailable, "no answer in time")

// tell brings a message about the order, as version n of it.
func (w *world) tell(what string, n int, m message.Message) error {
	h, t, c := payment.Handler{Provider: w}, w.store.For(m), payment.Command{OrderID: orderID, OrderVersion: n}
	switch what {
	case "fulfil":
		return h.Fulfil(w.t.Context(), t, c)
	case "undo":
		return h.Undo(w.t.Context(), t, c)
	}
	return h.Place(w.t.Context(), t, payment.Placed{OrderID: orderID, Version: n, Amount: storetest.Amount, Token: "tok_ok"})
}

// must brings new messages, each as one version later, and wants all of them done.
func (w *world) must(messages ...string) {
	w.t.Helper()
	for i, what := range messages {
		m := storetest.Message()
		if err := w.tell(what, i+1, m); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
		if !w.store.Ended(m) {
			w.t.Errorf("%s has not ended", what)
		}
	}
}

// called lists the kinds of the calls.
func (w *world) called() string {
	kinds := make([]string, len(w.calls))
	for i, c := range w.calls {
		kinds[i] = string(c.Kind)
	}
	return strings.Join(kinds, " ")
}

// facts lists the facts with the order's version that each names.
func (w *world) facts() string {
	var list []string
	for _, f := range w.store.Facts() {
		list = append(list, fmt.Sprintf("%s@%d", strings.TrimSuffix(string(f.Fact), "Event"), f.OrderVersion))
	}
	return strings.Join(list, " ")
}

// ledger lists the movements.
func (w *world) ledger() string {
	var list []string
	for _, e := range w.store.Entries() {
		list = append(list, string(e.Kind))
	}
	return strings.Join(list, " ")
}
