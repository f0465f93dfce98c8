package machine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley.sh/services/order/machine"
)

// input is one of the things that can reach an order.
type input struct {
	name string
	run  func(machine.Order) (machine.Decision, error)
}

func inputs() []input {
	all := []input{
		{"cancel", machine.OnCancel},
		{"deadline", func(o machine.Order) (machine.Decision, error) { return machine.OnDeadline(o), nil }},
		{"dispatched", machine.OnDispatched},
	}
	for _, f := range []machine.Failure{machine.FailedCarrier, machine.FailedCancelled} {
		all = append(all, input{"failed{" + string(f) + "}", func(o machine.Order) (machine.Decision, error) {
			return machine.OnShipmentFailed(o, f)
		}})
	}
	for fact, name := range map[machine.Stock]string{
		machine.StockReserved: "reserved", machine.StockRejected: "rejected", machine.StockPicked: "picked",
		machine.StockReleased: "released", machine.StockReturned: "returned",
	} {
		all = append(all, input{name, func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, fact) }})
	}
	for fact, name := range map[machine.Money]string{
		machine.MoneyAuthorized: "authorized", machine.MoneyDeclined: "declined", machine.MoneyCaptured: "captured",
		machine.MoneyVoided: "voided", machine.MoneyRefunded: "refunded",
	} {
		all = append(all, input{name, func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, fact) }})
	}
	return all
}

// outcome writes a decision as the table below does: state(reason), events, work,
// legs that changed, or ack, unreachable, conflict.
func outcome(o machine.Order, d machine.Decision, err error) string {
	var impossible *machine.UnreachableError
	switch {
	case errors.As(err, &impossible):
		return "unreachable"
	case errors.Is(err, machine.ErrShipped):
		return "conflict"
	case err != nil:
		return "error " + err.Error()
	case d.Order == o && d.Work == machine.NoWork:
		return "ack"
	}
	var parts []string
	if d.Order.State != o.State {
		state := string(d.Order.State)
		if d.Order.Reason != "" {
			state += "(" + string(d.Order.Reason) + ")"
		}
		parts = append(parts, state)
	}
	if d.Order.Stock != o.Stock || d.Order.Money != o.Money {
		parts = append(parts, "leg")
	}
	for _, e := range d.Events {
		parts = append(parts, "+"+string(e))
	}
	if d.Work != machine.NoWork {
		parts = append(parts, "->"+string(d.Work))
	}
	if d.Alert {
		parts = append(parts, "alert")
	}
	return strings.Join(parts, " ")
}

// TestTable holds the protocol's table. Each row is a state with its legs; what a
// row does not list is unreachable.
func TestTable(t *testing.T) {
	t.Parallel()
	placed := machine.Order{State: machine.Placed, Version: 1}
	reserved := machine.Order{State: machine.Placed, Stock: machine.StockReserved, Version: 1}
	authorized := machine.Order{State: machine.Placed, Money: machine.MoneyAuthorized, Version: 1}
	confirmed := machine.Order{State: machine.Confirmed, Stock: machine.StockReserved, Money: machine.MoneyAuthorized, Version: 2}
	worked := machine.Order{State: machine.Confirmed, Stock: machine.StockPicked, Money: machine.MoneyCaptured, Version: 2}
	cancelling := confirmed
	cancelling.State, cancelling.Reason, cancelling.Version = machine.Cancelling, machine.TimedOut, 3
	shipped := confirmed
	shipped.State, shipped.Parcel, shipped.Version = machine.Shipped, machine.ParcelDispatched, 3
	captured := shipped
	captured.Money = machine.MoneyCaptured
	settled := captured
	settled.Stock, settled.Settled, settled.Version = machine.StockPicked, true, 4
	cancelled := machine.Order{State: machine.Cancelled, Reason: machine.CustomerRequest, Version: 2}
	voided := cancelled
	voided.Money = machine.MoneyVoided
	failed := machine.Order{
		State: machine.Cancelled, Reason: machine.ShippingFailed, Version: 3, Parcel: machine.ParcelFailed,
		Stock: machine.StockPicked, Money: machine.MoneyCaptured,
	}

	const (
		soldOut   = "cancelled(out_of_stock) leg +cancelled ->UndoOrder"
		noMoney   = "cancelled(payment_declined) leg +cancelled ->UndoOrder"
		byTime    = "cancelled(timed_out) +cancelled ->UndoOrder"
		byWish    = "cancelled(customer_request) +cancelled ->UndoOrder"
		askedTime = "cancelling(timed_out) +cancellation_requested ->CancelShipment"
		askedWish = "cancelling(customer_request) +cancellation_requested ->CancelShipment"
		confirms  = "confirmed leg +confirmed ->FulfilOrder"
		refused   = "cancelled(shipping_failed) +cancelled ->UndoOrder"
		kept      = "cancelled(timed_out) +cancelled ->UndoOrder"
	)
	table := map[string]struct {
		order machine.Order
		want  map[string]string
	}{
		"placed": {placed, map[string]string{
			"reserved": "leg", "authorized": "leg", "rejected": soldOut, "declined": noMoney,
			"cancel": byWish, "deadline": byTime,
		}},
		"placed, reserved": {reserved, map[string]string{
			"reserved": "ack", "authorized": confirms, "rejected": soldOut, "declined": noMoney,
			"cancel": byWish, "deadline": byTime,
		}},
		"placed, authorized": {authorized, map[string]string{
			"reserved": confirms, "authorized": "ack", "rejected": soldOut, "declined": noMoney,
			"cancel": byWish, "deadline": byTime,
		}},
		"confirmed": {confirmed, map[string]string{
			"reserved": "ack", "authorized": "ack", "picked": "leg", "captured": "leg",
			"cancel": askedWish, "deadline": askedTime, "dispatched": "shipped +shipped", "failed{carrier}": refused,
		}},
		"confirmed, picked and captured": {worked, map[string]string{
			"reserved": "ack", "authorized": "ack", "rejected": "ack", "declined": "ack", "picked": "ack", "captured": "ack",
			"cancel": askedWish, "deadline": askedTime, "dispatched": "shipped +shipped +settled", "failed{carrier}": refused,
		}},
		"cancelling": {cancelling, map[string]string{
			"reserved": "ack", "authorized": "ack", "picked": "leg", "captured": "leg", "cancel": "ack",
			"deadline": "->CancelShipment alert", "dispatched": "shipped +shipped",
			"failed{carrier}": kept, "failed{cancelled}": kept,
		}},
		"shipped": {shipped, map[string]string{
			"reserved": "ack", "authorized": "ack", "picked": "leg", "captured": "leg",
			"cancel": "conflict", "deadline": "ack", "dispatched": "ack",
		}},
		"shipped, captured": {captured, map[string]string{
			"reserved": "ack", "authorized": "ack", "declined": "ack", "picked": "leg +settled", "captured": "ack",
			"cancel": "conflict", "deadline": "ack", "dispatched": "ack",
		}},
		"settled": {settled, map[string]string{
			"reserved": "ack", "authorized": "ack", "rejected": "ack", "declined": "ack", "picked": "ack", "captured": "ack",
			"cancel": "conflict", "deadline": "ack", "dispatched": "ack",
		}},
		"cancelled": {cancelled, map[string]string{
			"reserved": "leg", "rejected": "leg", "picked": "leg", "released": "leg", "returned": "leg",
			"authorized": "leg", "declined": "leg", "captured": "leg", "voided": "leg", "refunded": "leg",
			"cancel": "ack", "deadline": "ack",
		}},
		"cancelled, voided": {voided, map[string]string{
			"reserved": "leg", "rejected": "leg", "picked": "leg", "released": "leg +settled", "returned": "leg +settled",
			"authorized": "ack", "declined": "ack", "captured": "ack", "voided": "ack", "refunded": "leg",
			"cancel": "ack", "deadline": "ack",
		}},
		"cancelled after its work": {failed, map[string]string{
			"reserved": "ack", "rejected": "ack", "picked": "ack", "released": "leg", "returned": "leg",
			"authorized": "ack", "declined": "ack", "captured": "ack", "voided": "leg", "refunded": "leg",
			"cancel": "ack", "deadline": "ack", "failed{carrier}": "ack", "failed{cancelled}": "ack",
		}},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, in := range inputs() {
				want, listed := row.want[in.name]
				if !listed {
					want = "unreachable"
				}
				d, err := in.run(row.order)
				if got := outcome(row.order, d, err); got != want {
					t.Errorf("%s: got %q, want %q", in.name, got, want)
				}
				if err == nil && d.Order.Version != row.order.Version+len(d.Events) {
					t.Errorf("%s: %d events raise version %d to %d", in.name, len(d.Events), row.order.Version, d.Order.Version)
				}
			}
		})
	}
}

func TestAskAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		order machine.Order
		want  []machine.Work
	}{
		"placed":     {machine.Order{State: machine.Placed}, nil},
		"confirmed":  {machine.Order{State: machine.Confirmed}, []machine.Work{machine.FulfilOrder}},
		"cancelling": {machine.Order{State: machine.Cancelling}, []machine.Work{machine.FulfilOrder, machine.CancelShipment}},
		"shipped":    {machine.Order{State: machine.Shipped}, []machine.Work{machine.FulfilOrder}},
		"cancelled":  {machine.Order{State: machine.Cancelled}, []machine.Work{machine.UndoOrder}},
		"settled":    {machine.Order{State: machine.Cancelled, Settled: true}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := machine.AskAgain(tc.order); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func ExampleNew() {
	d := machine.New()
	fmt.Println(d.Order.State, d.Order.Version, d.Events)
	// Output: placed 1 [placed]
}
