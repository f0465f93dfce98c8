package machine_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/inventory/machine"
)

// unreachable marks a pair that the protocol cannot produce.
var unreachable = machine.Decision{State: "unreachable"}

func ack(s machine.State) machine.Decision { return machine.Decision{State: s} }

// TestTable holds the protocol's table, every pair of state and message.
func TestTable(t *testing.T) {
	t.Parallel()
	reserved := machine.Decision{State: machine.Reserved, Fact: machine.StockReserved, Movement: machine.Reserve}
	rejected := machine.Decision{State: machine.Rejected, Fact: machine.StockRejected}
	picked := machine.Decision{State: machine.Picked, Fact: machine.StockPicked, Movement: machine.Pick}
	nothing := machine.Decision{State: machine.Released, Fact: machine.StockReleased}
	tombstone := machine.Decision{State: machine.Tombstone, Fact: machine.StockReleased}
	released := machine.Decision{State: machine.Released, Fact: machine.StockReleased, Movement: machine.Release}
	returned := machine.Decision{State: machine.Returned, Fact: machine.StockReturned, Movement: machine.TakeBack}

	table := map[machine.State]struct{ placed, soldOut, fulfil, undo machine.Decision }{
		machine.None:      {reserved, rejected, unreachable, tombstone},
		machine.Reserved:  {ack(machine.Reserved), ack(machine.Reserved), picked, released},
		machine.Rejected:  {ack(machine.Rejected), ack(machine.Rejected), unreachable, nothing},
		machine.Picked:    {ack(machine.Picked), ack(machine.Picked), ack(machine.Picked), returned},
		machine.Released:  {ack(machine.Released), ack(machine.Released), ack(machine.Released), ack(machine.Released)},
		machine.Returned:  {ack(machine.Returned), ack(machine.Returned), ack(machine.Returned), ack(machine.Returned)},
		machine.Tombstone: {ack(machine.Tombstone), ack(machine.Tombstone), ack(machine.Tombstone), ack(machine.Tombstone)},
	}
	for s, want := range table {
		t.Run("state "+string(s), func(t *testing.T) {
			t.Parallel()
			compare(t, "OrderPlaced", want.placed, machine.OnPlaced(s, func() bool { return true }), nil)
			compare(t, "OrderPlaced, too little", want.soldOut, machine.OnPlaced(s, func() bool { return false }), nil)
			got, err := machine.OnFulfil(s)
			compare(t, "FulfilOrder", want.fulfil, got, err)
			compare(t, "UndoOrder", want.undo, machine.OnUndo(s), nil)
		})
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
