package payment_test

import (
	"context"
	"errors"
	"testing"

	"parley.sh/services/kit/fault"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/internal/store/storetest"
	"parley.sh/services/payment/machine"
)

// A message that the protocol cannot produce is kept: nothing is called.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*world){
		"of an unknown order": func(*world) {},
		"of a declined one": func(w *world) {
			w.answer = func(payment.Intent) (payment.Result, error) { return refused() }
			w.must("place")
		},
		"of one being authorized": func(w *world) {
			w.answer = func(payment.Intent) (payment.Result, error) { return payment.Result{}, errUnknown }
			_ = w.tell("place", 1, storetest.Message())
		},
	} {
		w := &world{t: t}
		before(w)
		calls, m := len(w.calls), storetest.Message()
		err := w.tell("fulfil", 2, m)
		var unreachable *machine.UnreachableError
		if !errors.As(err, &unreachable) || !fault.Is(err, fault.Internal) || w.store.Ended(m) || len(w.calls) != calls {
			t.Errorf("%s: got %v and %d calls, want an Internal *UnreachableError", name, err, len(w.calls)-calls)
		}
	}
}

// failing are transactions that fail.
type failing struct{ look, once error }

func (f failing) Look(ctx context.Context, _ string, fn payment.Act) error {
	return errors.Join(f.look, fn(ctx, nothing{}, payment.Payment{OrderID: orderID, State: machine.Authorizing}))
}

func (f failing) Once(context.Context, string, payment.Act) error { return f.once }

// nothing is a payment.Tx that succeeds.
type nothing struct{ payment.Tx }

func (nothing) Save(context.Context, payment.Change) error { return nil }

func (nothing) Intent(_ context.Context, p payment.Payment) (payment.Intent, error) {
	return p.Opened(1), nil
}

// answers is a payment.Provider made of an answer.
type answers struct{ err error }

func (a answers) Call(context.Context, payment.Intent) (payment.Result, error) {
	return payment.Result{Answer: machine.Done}, a.err
}

// What store and provider say is what the consumer gets to know.
func TestKindsPassThrough(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		boom := fault.New(kind, "boom")
		for what, c := range map[string]struct {
			t failing
			p answers
		}{
			"the first transaction":  {failing{look: boom}, answers{}},
			"the provider":           {failing{}, answers{boom}},
			"the second transaction": {failing{once: boom}, answers{}},
		} {
			err := payment.Handler{Provider: c.p}.Place(t.Context(), c.t, payment.Placed{OrderID: orderID})
			if !fault.Is(err, kind) {
				t.Errorf("%s: got %v, want %s", what, err, kind)
			}
		}
	}
}

// A state that no round changes is an error and no endless loop.
func TestRoundsAreBounded(t *testing.T) {
	t.Parallel()
	err := payment.Handler{Provider: answers{}}.Undo(t.Context(), failing{}, payment.Command{OrderID: orderID})
	if !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
}
