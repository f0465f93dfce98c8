package machine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/payment/machine"
)

// unreachable marks a pair that the protocol cannot produce.
var unreachable = machine.Decision{State: "unreachable"}

func ack(s machine.State) machine.Decision { return machine.Decision{State: s} }

func call(s machine.State, i machine.Intent) machine.Decision {
	return machine.Decision{State: s, Call: i}
}

// TestTable holds the protocol's table, every pair of state and message.
func TestTable(t *testing.T) {
	t.Parallel()
	voided := machine.Decision{State: machine.Voided, Fact: machine.PaymentVoided}
	tombstone := machine.Decision{State: machine.Tombstone, Fact: machine.PaymentVoided}
	finish := func(s machine.State, i machine.Intent) machine.Decision { return machine.Decision{State: s, Finish: i} }

	table := map[machine.State]struct{ placed, fulfil, undo machine.Decision }{
		machine.None:        {call(machine.Authorizing, machine.Authorize), unreachable, tombstone},
		machine.Authorizing: {call(machine.Authorizing, machine.Authorize), unreachable, finish(machine.Authorizing, machine.Authorize)},
		machine.Authorized:  {ack(machine.Authorized), call(machine.Capturing, machine.Capture), call(machine.Voiding, machine.Void)},
		machine.Declined:    {ack(machine.Declined), unreachable, voided},
		machine.Capturing:   {ack(machine.Capturing), call(machine.Capturing, machine.Capture), finish(machine.Capturing, machine.Capture)},
		machine.Captured:    {ack(machine.Captured), ack(machine.Captured), call(machine.Refunding, machine.Refund)},
		machine.Voiding:     {ack(machine.Voiding), ack(machine.Voiding), call(machine.Voiding, machine.Void)},
		machine.Refunding:   {ack(machine.Refunding), ack(machine.Refunding), call(machine.Refunding, machine.Refund)},
		machine.Voided:      {ack(machine.Voided), ack(machine.Voided), ack(machine.Voided)},
		machine.Refunded:    {ack(machine.Refunded), ack(machine.Refunded), ack(machine.Refunded)},
		machine.Tombstone:   {ack(machine.Tombstone), ack(machine.Tombstone), ack(machine.Tombstone)},
	}
	for s, want := range table {
		t.Run("state "+string(s), func(t *testing.T) {
			t.Parallel()
			compare(t, "OrderPlaced", want.placed, machine.OnPlaced(s), nil)
			got, err := machine.OnFulfil(s)
			compare(t, "FulfilOrder", want.fulfil, got, err)
			compare(t, "UndoOrder", want.undo, machine.OnUndo(s), nil)
		})
	}
}

// TestResults holds every answer to every intent in every state: it counts only
// while that very intent is open.
func TestResults(t *testing.T) {
	t.Parallel()
	open := map[machine.Intent]machine.State{
		machine.Authorize: machine.Authorizing, machine.Capture: machine.Capturing,
		machine.Void: machine.Voiding, machine.Refund: machine.Refunding,
	}
	done := map[machine.Intent]machine.Decision{
		machine.Authorize: {State: machine.Authorized, Fact: machine.PaymentAuthorized},
		machine.Capture:   {State: machine.Captured, Fact: machine.PaymentCaptured},
		machine.Void:      {State: machine.Voided, Fact: machine.PaymentVoided},
		machine.Refund:    {State: machine.Refunded, Fact: machine.PaymentRefunded},
	}
	states := []machine.State{
		machine.None, machine.Authorizing, machine.Authorized, machine.Declined, machine.Capturing, machine.Captured,
		machine.Voiding, machine.Voided, machine.Refunding, machine.Refunded, machine.Tombstone,
	}
	for intent, want := range done {
		for _, s := range states {
			if s != open[intent] {
				want := ack(s)
				for _, a := range []machine.Answer{machine.Done, machine.Refused} {
					got, err := machine.OnResult(s, intent, a)
					compare(t, string(intent)+" "+string(a)+" in "+string(s), want, got, err)
				}
				continue
			}
			got, err := machine.OnResult(s, intent, machine.Done)
			compare(t, string(intent)+" done", want, got, err)
		}
	}
	got, err := machine.OnResult(machine.Authorizing, machine.Authorize, machine.Refused)
	compare(t, "authorize refused", machine.Decision{State: machine.Declined, Fact: machine.PaymentDeclined}, got, err)
	for _, i := range []machine.Intent{machine.Capture, machine.Void, machine.Refund} {
		var refused *machine.RefusedError
		if _, err := machine.OnResult(open[i], i, machine.Refused); !errors.As(err, &refused) {
			t.Errorf("%s refused for good must be an error, not %v", i, err)
		}
	}
}

func compare(t *testing.T, message string, want, got machine.Decision, err error) {
	t.Helper()
	var impossible *machine.UnreachableError
	if errors.As(err, &impossible) {
		got = unreachable
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", message, diff)
	}
}
