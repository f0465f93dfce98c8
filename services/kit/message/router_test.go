package message_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func TestRouter(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	r := message.NewRouter().On("Handled", returning(nil)).On("Failing", returning(boom)).Ignore("Ignored", "Other")
	tests := map[string]struct {
		kind string
		is   func(error) bool
	}{
		"handled": {"Handled", func(err error) bool { return err == nil }},
		"failing": {"Failing", func(err error) bool { return errors.Is(err, boom) }},
		"ignored": {"Ignored", func(err error) bool { return err == nil }},
		"unknown": {"Unknown", func(err error) bool { return fault.Is(err, fault.Invalid) }},
		"empty":   {"", func(err error) bool { return fault.Is(err, fault.Invalid) }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := r.Handle(t.Context(), message.Message{Type: tc.kind}); !tc.is(err) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func ExampleRouter() {
	router := message.NewRouter().
		On("OrderPlacedEvent", func(_ context.Context, m message.Message) error {
			fmt.Println("reserve stock for", m.Subject)
			return nil
		}).
		Ignore("OrderConfirmedEvent")
	handler := message.Chain(router.Handle, message.Recover())
	ctx := context.Background()
	fmt.Println(handler(ctx, message.Message{Type: "OrderPlacedEvent", Subject: "order 1"}))
	fmt.Println(handler(ctx, message.Message{Type: "OrderConfirmedEvent"}))
	fmt.Println(fault.KindOf(handler(ctx, message.Message{Type: "Nonsense"})))
	// Output:
	// reserve stock for order 1
	// <nil>
	// <nil>
	// invalid
}

func ExampleParse() {
	headers := map[string]string{
		"ce_id": "1", "ce_source": "order", "ce_type": "OrderPlacedEvent", "ce_specversion": "1.0",
		"ce_time": "2026-11-23T12:00:00Z", "ce_subject": "order 1",
	}
	m, err := message.Parse(message.KafkaPrefix, headers, []byte(`{}`))
	fmt.Println(m.Type, m.Subject, m.Time, err)
	delete(headers, "ce_time")
	_, err = message.Parse(message.KafkaPrefix, headers, nil)
	fmt.Println(err)
	// Output:
	// OrderPlacedEvent order 1 2026-11-23 12:00:00 +0000 UTC <nil>
	// header ce_time is required
}
