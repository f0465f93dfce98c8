package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
)

func TestConsequences(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind]fault.Consequence{
		fault.Invalid:     {Status: 400, Title: "Bad Request", Delivery: fault.DeadLetter, Outcome: fault.Stall},
		fault.NotFound:    {Status: 404, Title: "Not Found", Delivery: fault.Retry, Outcome: fault.Backoff},
		fault.Conflict:    {Status: 409, Title: "Conflict", Delivery: fault.Acknowledge, Outcome: fault.Requeue},
		fault.Unavailable: {Status: 503, Title: "Service Unavailable", Delivery: fault.Hold, Outcome: fault.Backoff},
		fault.Internal:    {Status: 500, Title: "Internal Server Error", Delivery: fault.Retry, Outcome: fault.Backoff},
	}
	for _, k := range fault.Kinds() {
		if diff := cmp.Diff(want[k], fault.Of(k)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", k, diff)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"unclassified":        {errors.New("boom"), fault.Internal},
		"classified":          {fault.New(fault.NotFound, "no such order"), fault.NotFound},
		"wrapped":             {fmt.Errorf("load order: %w", fault.New(fault.Conflict, "shipped")), fault.Conflict},
		"outermost wins":      {fault.Wrap(fault.Invalid, fault.New(fault.Internal, ""), "bad"), fault.Invalid},
		"deadline":            {fmt.Errorf("call: %w", context.DeadlineExceeded), fault.Unavailable},
		"cancelled":           {context.Canceled, fault.Unavailable},
		"network":             {&net.OpError{Op: "dial", Err: errors.New("refused")}, fault.Unavailable},
		"classified beats it": {fault.Wrap(fault.Internal, context.DeadlineExceeded, ""), fault.Internal},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := fault.KindOf(tc.err); got != tc.want {
				t.Errorf("KindOf = %s, want %s", got, tc.want)
			}
		})
	}
	if fault.Is(nil, fault.Internal) {
		t.Error("nil is of no kind")
	}
	if fault.Wrap(fault.Invalid, nil, "x") != nil {
		t.Error("Wrap(nil) must be nil")
	}
}

func ExampleInvalidFields() {
	err := fault.InvalidFields("the order is not valid",
		fault.Field{Name: "items[0].quantity", Rule: "must be at least 1"})
	fmt.Println(fault.KindOf(err), err, err.Fields[0].Name)
	// Output: invalid the order is not valid items[0].quantity
}
