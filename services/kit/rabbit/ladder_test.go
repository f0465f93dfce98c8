package rabbit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func TestDelayKey(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]string{
		time.Second: "1s", 5 * time.Second: "5s", 30 * time.Second: "30s", 2 * time.Minute: "2m",
		90 * time.Second: "90s", time.Hour: "1h", 90 * time.Minute: "90m", 24 * time.Hour: "24h",
		50 * time.Millisecond: "50ms", 1500 * time.Millisecond: "1500ms", time.Hour + time.Second: "3601s",
	} {
		if got := DelayKey(delay); got != want {
			t.Errorf("DelayKey(%v) = %s, want %s", delay, got, want)
		}
		if back, err := time.ParseDuration(DelayKey(delay)); err != nil || back != delay {
			t.Errorf("DelayKey(%v) reads as %v, %v", delay, back, err)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	got := []string{RetryExchange("Q"), RetryQueue("Q", 2*time.Minute), DeadLetterQueue("Q")}
	if diff := cmp.Diff([]string{"Q.retry", "Q.retry.2m", "Q.dlq"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	kept := ladder{delays: DefaultDelays()}
	given := ladder{delays: DefaultDelays(), giveUp: true}
	internal, missing := errBroken, fault.New(fault.NotFound, "no order")
	invalid, away := fault.New(fault.Invalid, "bad"), fault.New(fault.Unavailable, "away")
	tests := map[string]struct {
		ladder  ladder
		err     error
		attempt int
		want    verdict
	}{
		"first failure":     {kept, internal, 1, verdict{"1s", 1, "retried", false}},
		"not found":         {kept, missing, 2, verdict{"5s", 2, "retried", false}},
		"last rung":         {kept, internal, 4, verdict{"2m", 4, "retried", false}},
		"past it, kept":     {kept, internal, 5, verdict{"2m", 5, "retried", true}},
		"far past it, kept": {kept, internal, 500, verdict{"2m", 500, "retried", true}},
		"past it, given up": {given, internal, 5, verdict{"dlq", 5, "dead_lettered", true}},
		"invalid":           {kept, invalid, 1, verdict{"dlq", 1, "dead_lettered", true}},
		"wrapped invalid":   {kept, fmt.Errorf("read: %w", invalid), 3, verdict{"dlq", 3, "dead_lettered", true}},
		"unavailable":       {given, away, 1, verdict{"2m", 0, "postponed", false}},
		"unavailable late":  {given, away, 9, verdict{"2m", 8, "postponed", false}},
		"conflict":          {given, fault.New(fault.Conflict, "shipped"), 1, verdict{"", 0, "done", false}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, tc.ladder.judge(tc.err, tc.attempt), cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	want := verdict{"1s", 2, "postponed", false}
	if diff := cmp.Diff(want, kept.soon(3), cmp.AllowUnexported(verdict{})); diff != "" {
		t.Errorf("soon (-want +got):\n%s", diff)
	}
}

func TestReasonIsPublicAndBounded(t *testing.T) {
	t.Parallel()
	secret := errors.New("password=hunter2")
	tests := map[string]struct {
		err  error
		want string
	}{
		"unclassified": {secret, "Internal Server Error"},
		"classified":   {fmt.Errorf("handle: %w", fault.Wrap(fault.Invalid, secret, "bad quantity")), "bad quantity"},
		"no text":      {fault.Wrap(fault.Invalid, secret, ""), "Bad Request"},
		"long":         {fault.New(fault.Invalid, strings.Repeat("x", maxReason-1)+"\u00e4\u00f6\u00fc"), strings.Repeat("x", maxReason-1)},
	}
	for name, tc := range tests {
		if got := reason(tc.err); got != tc.want {
			t.Errorf("%s: reason = %q, want %q", name, got, tc.want)
		}
	}
}

func TestHeadersThatTravel(t *testing.T) {
	t.Parallel()
	in := amqp.Table{
		"cloudEvents_id": "1", "custom": int32(7), "CC": "x", "BCC": "y", "x-death": []any{},
		"x-first-death-queue": "q", "x-last-death-reason": "r", "x-delivery-count": int64(3),
	}
	if diff := cmp.Diff(amqp.Table{"cloudEvents_id": "1", "custom": int32(7)}, foreign(in)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	in["large"] = amqp.Table{"list": []any{strings.Repeat("x", maxForeign)}}
	in["traceparent"] = "00-1-2-3"
	if diff := cmp.Diff(amqp.Table{"cloudEvents_id": "1", "traceparent": "00-1-2-3"}, foreign(in)); diff != "" {
		t.Errorf("too large (-want +got):\n%s", diff)
	}
}

func TestNotesStartOverInTheDeadLetterQueue(t *testing.T) {
	t.Parallel()
	d := &amqp.Delivery{Exchange: "X", RoutingKey: "k", Headers: amqp.Table{HeaderAttempts: int64(1), message.DeadKind: "old"}}
	want := amqp.Table{HeaderExchange: "X", HeaderKey: "k", HeaderAttempts: int64(2)}
	rung := verdict{key: "1s", attempts: 2}
	if diff := cmp.Diff(want, copyOf(d, "q", rung, notes(d, "q", rung, errBroken)).body.Headers); diff != "" {
		t.Errorf("on a rung (-want +got):\n%s", diff)
	}
	dead := verdict{key: DeadLetterKey, attempts: 2}
	got := copyOf(d, "q", dead, notes(d, "q", dead, fault.New(fault.Invalid, "bad"))).body.Headers
	if _, err := time.Parse(time.RFC3339, fmt.Sprint(got[message.DeadTime])); err != nil {
		t.Error(err)
	}
	delete(got, message.DeadTime)
	want = amqp.Table{
		HeaderExchange: "X", HeaderKey: "k", message.DeadReason: "bad", message.DeadKind: "invalid",
		message.DeadAttempts: "2", message.DeadPlace: "q",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("set aside (-want +got):\n%s", diff)
	}
}

func TestBareCopyKeepsWhatIsOurs(t *testing.T) {
	t.Parallel()
	d := &amqp.Delivery{Headers: amqp.Table{"cloudEvents_id": "1", "odd": amqp.Table{}}, ReplyTo: "x", Body: []byte("b")}
	rung := verdict{key: "1s", attempts: 2}
	i := copyOf(d, "q", rung, notes(d, "q", rung, errBroken))
	bare(i)
	want := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("b"), Headers: amqp.Table{
		"cloudEvents_id": "1", HeaderAttempts: int64(2), HeaderExchange: "", HeaderKey: "",
	}}
	if diff := cmp.Diff(want, i.body); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
