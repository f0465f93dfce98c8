package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/payment/internal/payment"
	"parley.sh/services/payment/machine"
)

// Store is all that a store can do.
type Store interface {
	For(m message.Message) payment.Transactions
	View(ctx context.Context, orderID string) (payment.View, error)
}

// Run runs the suite. open returns a new and empty store each time.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	tests := map[string]func(*testing.T, Store){
		"a payment is read as it was written":      readBack,
		"a look ends no message":                   lookEndsNothing,
		"a message ends once":                      endsOnce,
		"an error undoes everything":               undone,
		"an intent is read as it was opened":       intents,
		"an intent is opened once":                 openedOnce,
		"an open intent that is not there":         noIntent,
		"the ledger is two lines that sum to zero": ledger,
		"a movement is recorded once":              recordedOnce,
		"what is not there is not found":           notFound,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Message returns a new message.
func Message() message.Message {
	return message.Message{ID: uuid.NewString(), Source: "order", Type: "OrderPlacedEvent", Time: time.Now()}
}

// OrderID returns the id of a new order.
func OrderID() string { return uuid.Must(uuid.NewV7()).String() }

// Amount is that of the suite's payments.
var Amount = payment.Money{Minor: 2501, Currency: "EUR"}

func full(state machine.State) payment.Payment {
	return payment.Payment{OrderID: OrderID(), State: state, Amount: Amount, Token: "tok_ok", ProviderRef: "auth_1"}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// look runs fn in a transaction of a new message.
func look(t *testing.T, s Store, orderID string, fn func(tx payment.Tx, p payment.Payment) error) error {
	t.Helper()
	return s.For(Message()).Look(t.Context(), orderID, func(_ context.Context, tx payment.Tx, p payment.Payment) error {
		return fn(tx, p)
	})
}

func change(p payment.Payment, f machine.Fact, e *payment.Entry) payment.Change {
	return payment.Change{Payment: p, Entry: e, Announcement: payment.Announcement{
		Fact: f, OrderID: p.OrderID, OrderVersion: 1, Amount: &p.Amount, ProviderRef: p.ProviderRef,
	}}
}

func save(t *testing.T, s Store, c payment.Change) error {
	t.Helper()
	return look(t, s, c.Payment.OrderID, func(tx payment.Tx, _ payment.Payment) error { return tx.Save(t.Context(), c) })
}

// row reads the payment of an order.
func row(t *testing.T, s Store, orderID string) (p payment.Payment) {
	t.Helper()
	if err := look(t, s, orderID, func(_ payment.Tx, now payment.Payment) error { p = now; return nil }); err != nil {
		t.Fatal(err)
	}
	return p
}

func readBack(t *testing.T, s Store) {
	t.Helper()
	id := OrderID()
	same(t, "of an unknown order", payment.Payment{OrderID: id}, row(t, s, id))
	p := full(machine.Authorized)
	if err := save(t, s, change(p, machine.PaymentAuthorized, nil)); err != nil {
		t.Fatal(err)
	}
	same(t, "of the order", p, row(t, s, p.OrderID))
	v, err := s.View(t.Context(), p.OrderID)
	if err != nil || len(v.Lines) != 0 {
		t.Errorf("View = %+v, %v", v, err)
	}
	same(t, "viewed", p, v.Payment)
}

func lookEndsNothing(t *testing.T, s Store) {
	t.Helper()
	m, id, runs := Message(), OrderID(), 0
	count := func(context.Context, payment.Tx, payment.Payment) error { runs++; return nil }
	for range 2 {
		if err := s.For(m).Look(t.Context(), id, count); err != nil {
			t.Error(err)
		}
	}
	if err := s.For(m).Once(t.Context(), id, count); err != nil || runs != 3 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func endsOnce(t *testing.T, s Store) {
	t.Helper()
	byOnce, byDone := Message(), Message()
	other := byOnce
	other.Source = "payment"
	id, runs := OrderID(), 0
	count := func(context.Context, payment.Tx, payment.Payment) error { runs++; return nil }
	done := func(m message.Message, want bool) {
		t.Helper()
		err := s.For(m).Look(t.Context(), id, func(ctx context.Context, tx payment.Tx, _ payment.Payment) error {
			fresh, err := tx.Done(ctx)
			if fresh != want {
				t.Errorf("Done = %v, want %v", fresh, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	done(byDone, true)
	done(byDone, false)
	for _, m := range []message.Message{byDone, byOnce, byOnce, other} {
		if err := s.For(m).Once(t.Context(), id, count); err != nil {
			t.Error(err)
		}
	}
	done(byOnce, false)
	same(t, "runs", 2, runs)
}

func undone(t *testing.T, s Store) {
	t.Helper()
	boom, m, p := fault.New(fault.Internal, "boom"), Message(), full(machine.Authorizing)
	act := func(ctx context.Context, tx payment.Tx, _ payment.Payment) error {
		if err := tx.Open(ctx, p, p.Opened(1)); err != nil {
			t.Error(err)
		}
		e := payment.EntryOf(p.Opened(1))
		if err := tx.Save(ctx, change(p, machine.PaymentAuthorized, &e)); err != nil {
			t.Error(err)
		}
		return boom
	}
	for range 2 { // the second finds nothing of the first
		if err := s.For(m).Once(t.Context(), p.OrderID, act); !errors.Is(err, boom) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := s.View(t.Context(), p.OrderID); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
}

func intents(t *testing.T, s Store) {
	t.Helper()
	p := full(machine.Authorizing)
	for _, state := range []machine.State{machine.Authorizing, machine.Capturing, machine.Refunding} {
		p.State = state
		err := look(t, s, p.OrderID, func(tx payment.Tx, _ payment.Payment) error { return tx.Open(t.Context(), p, p.Opened(7)) })
		if err != nil {
			t.Fatal(err)
		}
		err = look(t, s, p.OrderID, func(tx payment.Tx, now payment.Payment) error {
			i, err := tx.Intent(t.Context(), now)
			same(t, string(state), p.Opened(7), i)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func openedOnce(t *testing.T, s Store) {
	t.Helper()
	p := full(machine.Capturing)
	open := func() error {
		return look(t, s, p.OrderID, func(tx payment.Tx, _ payment.Payment) error { return tx.Open(t.Context(), p, p.Opened(1)) })
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	if err := open(); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
}

func noIntent(t *testing.T, s Store) {
	t.Helper()
	err := look(t, s, OrderID(), func(tx payment.Tx, p payment.Payment) error {
		p.State = machine.Capturing
		_, err := tx.Intent(t.Context(), p)
		return err
	})
	if !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal: the state says that it is there", err)
	}
}

// pay saves the done intents of a captured and refunded payment.
func pay(t *testing.T, s Store) payment.Payment {
	t.Helper()
	p := full(machine.Authorizing)
	for _, step := range []struct {
		kind machine.Intent
		fact machine.Fact
		to   machine.State
	}{
		{machine.Authorize, machine.PaymentAuthorized, machine.Authorized},
		{machine.Capture, machine.PaymentCaptured, machine.Captured},
		{machine.Refund, machine.PaymentRefunded, machine.Refunded},
	} {
		e := payment.EntryOf(payment.Intent{OrderID: p.OrderID, Kind: step.kind, Amount: p.Amount})
		p.State = step.to
		if err := save(t, s, change(p, step.fact, &e)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func ledger(t *testing.T, s Store) {
	t.Helper()
	p, _ := pay(t, s), pay(t, s)
	v, err := s.View(t.Context(), p.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	minus := payment.Money{Minor: -Amount.Minor, Currency: "EUR"}
	same(t, "lines", []payment.Line{
		{Kind: machine.Authorize, Account: payment.Customer, Amount: minus},
		{Kind: machine.Authorize, Account: payment.Held, Amount: Amount},
		{Kind: machine.Capture, Account: payment.Held, Amount: minus},
		{Kind: machine.Capture, Account: payment.Revenue, Amount: Amount},
		{Kind: machine.Refund, Account: payment.Revenue, Amount: minus},
		{Kind: machine.Refund, Account: payment.Customer, Amount: Amount},
	}, v.Lines)
}

func recordedOnce(t *testing.T, s Store) {
	t.Helper()
	p := pay(t, s)
	e := payment.EntryOf(payment.Intent{OrderID: p.OrderID, Kind: machine.Capture, Amount: p.Amount})
	p.State = machine.Captured
	if err := save(t, s, change(p, machine.PaymentCaptured, &e)); !fault.Is(err, fault.Internal) {
		t.Errorf("got %v, want Internal", err)
	}
	same(t, "state", machine.Refunded, row(t, s, p.OrderID).State)
}

func notFound(t *testing.T, s Store) {
	t.Helper()
	if _, err := s.View(t.Context(), OrderID()); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want NotFound", err)
	}
}
