package machine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/shipping/machine"
)

// unreachable marks a pair that the protocol cannot produce.
var unreachable = machine.Decision{State: "unreachable"}

func ack(s machine.State) machine.Decision { return machine.Decision{State: s} }

// TestTable holds the protocol's table, every pair of state and message.
func TestTable(t *testing.T) {
	t.Parallel()
	requested := machine.Decision{State: machine.Requested, Print: true}
	cancelled := machine.Decision{State: machine.Cancelled, Fact: machine.FailedCancelled}
	labelling := machine.Decision{State: machine.Labelling, Call: true}
	dispatched := machine.Decision{State: machine.Dispatched, Fact: machine.ShipmentDispatched}
	failed := machine.Decision{State: machine.Failed, Fact: machine.FailedCarrier}

	table := map[machine.State]struct {
		fulfil, cancel, print, labelled, refused machine.Decision
		again                                    bool
	}{
		machine.None:       {requested, cancelled, unreachable, ack(machine.None), ack(machine.None), false},
		machine.Requested:  {ack(machine.Requested), cancelled, labelling, ack(machine.Requested), ack(machine.Requested), true},
		machine.Labelling:  {ack(machine.Labelling), ack(machine.Labelling), labelling, dispatched, failed, true},
		machine.Dispatched: still(machine.Dispatched),
		machine.Failed:     still(machine.Failed),
		machine.Cancelled:  still(machine.Cancelled),
	}
	for s, want := range table {
		t.Run("state "+string(s), func(t *testing.T) {
			t.Parallel()
			compare(t, "FulfilOrder", want.fulfil, machine.OnFulfil(s), nil)
			compare(t, "CancelShipment", want.cancel, machine.OnCancel(s), nil)
			got, err := machine.OnPrint(s)
			compare(t, "PrintLabel", want.print, got, err)
			compare(t, "labelled", want.labelled, machine.OnResult(s, machine.Labelled), nil)
			compare(t, "refused", want.refused, machine.OnResult(s, machine.Refused), nil)
			if got := machine.PrintAgain(s); got != want.again {
				t.Errorf("PrintAgain = %v, want %v", got, want.again)
			}
		})
	}
}

// still is the row of a state that nothing changes.
func still(s machine.State) struct {
	fulfil, cancel, print, labelled, refused machine.Decision
	again                                    bool
} {
	return struct {
		fulfil, cancel, print, labelled, refused machine.Decision
		again                                    bool
	}{ack(s), ack(s), ack(s), ack(s), ack(s), false}
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
