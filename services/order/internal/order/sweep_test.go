package order_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/machine"
)

func resume(ctx context.Context, _, _ string) (context.Context, func()) { return ctx, func() {} }

func TestDeadline(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	tests := map[string]struct {
		facts  []any
		state  machine.State
		story  []string
		alerts int // after a second deadline
	}{
		"placed": {nil, machine.Cancelled, []string{"1 placed", "2 cancelled timed_out"}, 0},
		"confirmed": {confirmed, machine.Cancelling, []string{
			"1 placed", "2 confirmed", "3 cancellation_requested timed_out",
		}, 1},
		"shipped": {append(confirmed, "trk"), machine.Shipped, []string{"1 placed", "2 confirmed", "3 shipped trk"}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			w.pass(timing.Deadline - time.Microsecond)
			if n := w.sweep(t, order.ClockDeadline); n != 0 {
				t.Errorf("%d orders were swept too early", n)
			}
			w.pass(time.Microsecond)
			w.sweep(t, order.ClockDeadline)
			w.sweep(t, order.ClockDeadline)
			if got := w.get(t, id).Progress.State; got != tc.state {
				t.Errorf("the order is %s, want %s", got, tc.state)
			}
			w.pass(timing.Deadline)
			w.sweep(t, order.ClockDeadline)
			if diff := cmp.Diff(tc.story, w.story(t, id)); diff != "" {
				t.Error(diff)
			}
			if w.meter.alerts != tc.alerts {
				t.Errorf("%d alerts, want %d", w.meter.alerts, tc.alerts)
			}
		})
	}
}

// A cancelling order is not forced at its deadline: shipping is asked again.
func TestDeadlineOfACancellingOrderAsksShippingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	id := w.place(t).ID
	w.tell(t, id, machine.StockReserved, machine.MoneyAuthorized)
	if _, err := w.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.pass(timing.Deadline)
	for range 3 {
		w.sweep(t, order.ClockDeadline)
	}
	made := w.store.Announced()
	last := made[len(made)-1]
	if !last.Alert || len(last.Entries) != 0 || !cmp.Equal(last.Work, []machine.Work{machine.CancelShipment}) {
		t.Errorf("the deadline made %+v", last)
	}
	if o := w.get(t, id); o.Progress.State != machine.Cancelling || o.Progress.Reason != machine.CustomerRequest || w.meter.alerts != 1 {
		t.Errorf("the order is %+v, %d alerts", o.Progress, w.meter.alerts)
	}
}

func TestAskAgain(t *testing.T) {
	t.Parallel()
	confirmed := []any{machine.StockReserved, machine.MoneyAuthorized}
	fulfil := []machine.Work{machine.FulfilOrder}
	tests := map[string]struct {
		facts  []any
		cancel bool
		want   []machine.Work // at each time
	}{
		"placed: nobody owes an answer to work": {nil, false, nil},
		"confirmed":                             {confirmed, false, fulfil},
		"cancelling":                            {confirmed, true, []machine.Work{machine.FulfilOrder, machine.CancelShipment}},
		"shipped":                               {append(confirmed, "trk"), false, fulfil},
		"cancelled":                             {nil, true, []machine.Work{machine.UndoOrder}},
		"settled":                               {append(confirmed, "trk", machine.StockPicked, machine.MoneyCaptured), false, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(inStock(50), nil)
			id := w.place(t).ID
			w.tell(t, id, tc.facts...)
			if tc.cancel {
				if _, err := w.Cancel(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			version := w.get(t, id).Progress.Version
			// 2, 4, 8 minutes and then 10 for ever.
			for i, pause := range []time.Duration{2, 4, 8, 10, 10} {
				w.pass(pause*time.Minute - time.Second)
				early := w.sweep(t, order.ClockAsk)
				w.pass(time.Second)
				due := w.sweep(t, order.ClockAsk)
				if early != 0 || due != min(len(tc.want), 1) {
					t.Errorf("time %d: %d early, %d when due", i, early, due)
				}
			}
			var want []machine.Work
			for range 5 {
				want = append(want, tc.want...)
			}
			if diff := cmp.Diff(want, w.meter.asked); diff != "" {
				t.Error(diff)
			}
			if got := w.get(t, id).Progress.Version; got != version {
				t.Errorf("asking again made version %d of %d", got, version)
			}
		})
	}
}

// A change of state begins the asking anew; a mere fact does not.
func TestAskingBeginsAnewWithTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	id := w.place(t).ID
	w.tell(t, id, machine.StockReserved, machine.MoneyAuthorized)
	w.pass(2 * time.Minute)
	w.sweep(t, order.ClockAsk)
	w.pass(time.Minute)
	w.tell(t, id, machine.StockPicked)
	if o := w.get(t, id); !o.AskAt.Equal(start.Add(6*time.Minute)) || o.Asked != 1 {
		t.Errorf("after a fact: ask at %v, asked %d", o.AskAt, o.Asked)
	}
	w.tell(t, id, "trk")
	if o := w.get(t, id); !o.AskAt.Equal(start.Add(5*time.Minute)) || o.Asked != 0 {
		t.Errorf("after a change of state: ask at %v, asked %d", o.AskAt, o.Asked)
	}
}

// failing fails for one order.
type failing struct {
	order.Agenda

	id string
}

func (f failing) UpdateDue(ctx context.Context, id string, c order.Clock, now time.Time, d order.Decide) (bool, error) {
	if id == f.id {
		return false, fault.New(fault.Unavailable, "")
	}
	return f.Agenda.UpdateDue(ctx, id, c, now, d)
}

func TestOneFailingOrderHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(inStock(50), nil)
	first, second := w.place(t).ID, w.place(t).ID
	w.pass(timing.Deadline)
	n, err := w.Sweep(t.Context(), failing{w.store, first}, order.ClockDeadline, resume)
	if n != 1 || !fault.Is(err, fault.Unavailable) {
		t.Errorf("swept %d, %v", n, err)
	}
	if got := w.get(t, second).Progress.State; got != machine.Cancelled {
		t.Errorf("the other order is %s", got)
	}
}
