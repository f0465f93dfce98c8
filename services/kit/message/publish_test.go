package message_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

var errRefused = fault.New(fault.Invalid, "too large")

func TestResults(t *testing.T) {
	t.Parallel()
	if err := message.JoinResults(make([]error, 3)); err != nil {
		t.Errorf("all confirmed: %v", err)
	}
	some := message.JoinResults([]error{nil, errRefused, nil})
	boom := errors.New("boom")
	tests := map[string]struct {
		err  error
		n    int
		want []error
	}{
		"all confirmed":   {nil, 2, []error{nil, nil}},
		"one refused":     {some, 3, []error{nil, errRefused, nil}},
		"wrapped":         {fmt.Errorf("publish: %w", some), 3, []error{nil, errRefused, nil}},
		"all at once":     {boom, 2, []error{boom, boom}},
		"another's error": {some, 2, []error{some, some}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := message.Results(tc.err, tc.n)
			if len(got) != len(tc.want) {
				t.Fatalf("%d results, want %d", len(got), len(tc.want))
			}
			for i := range got {
				if !errors.Is(got[i], tc.want[i]) || (got[i] == nil) != (tc.want[i] == nil) {
					t.Errorf("result %d = %v, want %v", i, got[i], tc.want[i])
				}
			}
		})
	}
	if !fault.Is(some, fault.Invalid) || !strings.HasPrefix(some.Error(), "1 of 3 ") {
		t.Errorf("error %q of kind %s", some, fault.KindOf(some))
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"plain":       {"items[0].quantity must be at least 1", "items[0].quantity must be at least 1"},
		"a stack":     {"boom\n\tmain.go:1\r\n", "boom  main.go:1  "},
		"not UTF-8":   {"a\xffb", "a?b"},
		"cut":         {strings.Repeat("x", 2000), strings.Repeat("x", 1000)},
		"cut in half": {strings.Repeat("x", 999) + "ż", strings.Repeat("x", 999)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := message.Reason(errors.New(tc.text))
			if got != tc.want || !utf8.ValidString(got) {
				t.Errorf("Reason = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]message.Address{
		"kafka:Orders":                      {Broker: message.Kafka, Name: "Orders"},
		"rabbitmq:OrderExchange/order.done": {Broker: message.RabbitMQ, Name: "OrderExchange", RoutingKey: "order.done"},
	}
	for want, address := range tests {
		if got := address.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}
