package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	relay := newRelay(t, db, Defaults(), only(&sent))
	first, second := newMessage(topic, "a", 1), newMessage(topic, "a", 2)
	first.Headers = map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	second.Data = nil // a tombstone
	add(ctx, t, db, first, second)
	stop := runRelay(ctx, t, relay)
	eventually(ctx, t, "both are sent", func() bool { return sent.len() == 2 })
	eventually(ctx, t, "both are deleted", func() bool { return count(ctx, t, db, "outbox") == 0 })
	third := newMessage(exchange, "a", 3)
	add(ctx, t, db, third)
	relay.Wake()
	eventually(ctx, t, "the third is sent", func() bool { return sent.len() == 3 })
	stop()
	want := []any{first, second, third}
	for i, m := range sent.messages {
		if diff := cmp.Diff(want[i], m); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", i, diff)
		}
	}
	if n := count(ctx, t, db, "outbox"); n != 0 {
		t.Errorf("%d rows left", n)
	}
}
