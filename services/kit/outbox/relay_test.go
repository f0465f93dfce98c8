package outbox

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
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
	want := []message.Message{first, second, third}
	if diff := cmp.Diff(want, sent.messages); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if n := count(ctx, t, db, "outbox"); n != 0 {
		t.Errorf("%d rows left", n)
	}
	if n := testutil.ToFloat64(relay.metrics.published.WithLabelValues("kafka", "Orders")); n != 2 {
		t.Errorf("%v rows counted, want 2", n)
	}
}

// TestIdle lets a relay find nothing: it looks again when it is woken or its pause is
// over, and not before.
func TestIdle(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cfg := Defaults()
	cfg.PollMin, cfg.PollMax = time.Hour, time.Hour
	relay := newRelay(t, db, cfg, only(&recorder{}))
	runRelay(ctx, t, relay)
	reads := func() float64 { return testutil.ToFloat64(relay.metrics.reads) }
	for range 3 {
		seen := reads()
		relay.Wake()
		eventually(ctx, t, "the relay looks", func() bool { return reads() > seen })
	}
	const queries = 300 // a clock that runs as fast as the database does
	for range queries {
		count(ctx, t, db, "outbox")
	}
	if n := reads(); n > 12 {
		t.Errorf("%v looks at an empty table for three wakes, beside %d queries", n, queries)
	}
}

// TestOrder relays rows of few keys past a broker that fails in every way.
func TestOrder(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	const keys, perKey = 7, 40
	var sent recorder
	var calls atomic.Int64
	flaky := publisher(func(ctx context.Context, messages ...message.Message) error {
		switch n := calls.Add(1); {
		case n%5 == 0:
			return errDown
		case n%3 == 0:
			errs := make([]error, len(messages))
			errs[len(errs)/2] = errNack
			_ = sent.Publish(ctx, slices.Delete(slices.Clone(messages), len(errs)/2, len(errs)/2+1)...)
			return message.JoinResults(errs)
		}
		return sent.Publish(ctx, messages...)
	})
	want := map[string][]string{}
	for n := range perKey {
		for k := range keys {
			m := newMessage(topic, fmt.Sprint("key", k), n)
			add(ctx, t, db, m)
			want[m.Key] = append(want[m.Key], m.ID)
		}
	}
	cfg := Defaults()
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 5*time.Millisecond
	cfg.PollMin, cfg.PollMax = time.Millisecond, time.Millisecond
	runRelay(ctx, t, newRelay(t, db, cfg, only(flaky)))
	eventually(ctx, t, "the outbox is empty", func() bool { return count(ctx, t, db, "outbox") == 0 })
	got := map[string][]string{}
	for _, m := range sent.messages {
		got[m.Key] = append(got[m.Key], m.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent by key (-want +got):\n%s", diff)
	}
}

// TestBrokerDown keeps more rows of one broker back than fit into memory, and
// relays those of the other, of the same keys, meanwhile.
func TestBrokerDown(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cfg := Defaults()
	cfg.Batch, cfg.Buffer = 50, 100
	var kafka, rabbit recorder
	var up atomic.Bool
	relay := newRelay(t, db, cfg, map[message.Broker]message.Publisher{
		message.Kafka: &kafka,
		message.RabbitMQ: publisher(func(ctx context.Context, messages ...message.Message) error {
			if !up.Load() {
				return errDown
			}
			return rabbit.Publish(ctx, messages...)
		}),
	})
	const rows = 500
	for i := range rows {
		add(ctx, t, db, newMessage(exchange, fmt.Sprint("k", i), 1))
	}
	runRelay(ctx, t, relay)
	eventually(ctx, t, "RabbitMQ is seen to be down", func() bool {
		return testutil.ToFloat64(relay.metrics.failures.WithLabelValues("rabbitmq", "OrderExchange", "unavailable")) > 0
	})
	for i := range rows {
		add(ctx, t, db, newMessage(topic, fmt.Sprint("k", i), 1))
	}
	eventually(ctx, t, "all of Kafka's rows are sent", func() bool { return kafka.len() == rows })
	up.Store(true)
	eventually(ctx, t, "all of RabbitMQ's rows are sent", func() bool { return len(rabbit.ids()) == rows })
	eventually(ctx, t, "the outbox is empty", func() bool { return count(ctx, t, db, "outbox") == 0 })
}

// TestFailingKeys nacks more keys of a destination than fit into memory; another
// key of it goes on.
func TestFailingKeys(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cfg := Defaults()
	cfg.Batch, cfg.Buffer, cfg.RetryMin, cfg.RetryMax = 10, 64, 10*time.Millisecond, 50*time.Millisecond
	var sent recorder
	relay := newRelay(t, db, cfg, only(publisher(func(ctx context.Context, messages ...message.Message) error {
		errs := make([]error, len(messages))
		for i, m := range messages {
			if m.To.RoutingKey == "unbound" {
				errs[i] = fault.New(fault.NotFound, "returned")
				continue
			}
			_ = sent.Publish(ctx, m)
		}
		return message.JoinResults(errs)
	})))
	unbound := exchange
	unbound.RoutingKey = "unbound"
	for i := range 300 {
		add(ctx, t, db, newMessage(unbound, fmt.Sprint("bad", i), 1), newMessage(exchange, fmt.Sprint("bad", i), 2))
	}
	for i := range 20 {
		add(ctx, t, db, newMessage(exchange, fmt.Sprint("good", i), 1))
	}
	runRelay(ctx, t, relay)
	eventually(ctx, t, "the good keys are sent", func() bool { return sent.len() == 20 })
	eventually(ctx, t, "only the others are left", func() bool { return count(ctx, t, db, "outbox") == 600 })
}

// TestLateCommit commits a row whose id is below one that was sent already.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	runRelay(ctx, t, newRelay(t, db, Defaults(), only(&sent)))
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	late, early := newMessage(topic, "a", 1), newMessage(topic, "b", 1)
	if err := Add(ctx, tx, late); err != nil {
		t.Fatal(err)
	}
	add(ctx, t, db, early)
	eventually(ctx, t, "the later id is sent and deleted", func() bool {
		return sent.len() == 1 && count(ctx, t, db, "outbox") == 0
	})
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the earlier id is sent", func() bool { return sent.len() == 2 })
	if diff := cmp.Diff([]string{early.ID, late.ID}, sent.ids()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestRefused refuses batches as a whole for the sake of one row in the middle.
func TestRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]func(errs []error, bad int) error{
		"the whole batch": func([]error, int) error { return errInvalid },
		"each row of it": func(errs []error, _ int) error {
			return message.JoinResults(slices.Repeat([]error{errInvalid}, len(errs)))
		},
		"the row": func(errs []error, bad int) error {
			errs[bad] = errInvalid
			return message.JoinResults(errs)
		},
	}
	for name, refuse := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testRefused(t, refuse)
		})
	}
}

func testRefused(t *testing.T, refuse func(errs []error, bad int) error) {
	t.Helper()
	ctx, db := open(t)
	bad := newMessage(topic, "k5", 1)
	bad.Headers = map[string]string{"tracestate": "a=b"}
	var sent recorder
	relay := newRelay(t, db, Defaults(), only(publisher(func(ctx context.Context, messages ...message.Message) error {
		i := slices.IndexFunc(messages, func(m message.Message) bool { return m.ID == bad.ID })
		if i < 0 {
			return sent.Publish(ctx, messages...)
		}
		errs := make([]error, len(messages))
		err := refuse(errs, i)
		for j, err := range message.Results(err, len(messages)) {
			if err == nil {
				_ = sent.Publish(ctx, messages[j])
			}
		}
		return err
	})))
	for i := range 11 {
		m := newMessage(topic, fmt.Sprint("k", i), 1)
		if i == 5 {
			m = bad
		}
		add(ctx, t, db, m, newMessage(topic, m.Key, 2))
	}
	stop := runRelay(ctx, t, relay)
	eventually(ctx, t, "all others are sent", func() bool { return sent.len() == 21 })
	eventually(ctx, t, "the outbox is empty", func() bool { return count(ctx, t, db, "outbox") == 0 })
	stop()
	if slices.Contains(sent.ids(), bad.ID) || !slices.Contains(sent.ids(), newMessage(topic, "k5", 2).ID) {
		t.Errorf("sent %v", sent.ids())
	}
	if n := testutil.ToFloat64(relay.metrics.refused.WithLabelValues("kafka", "Orders")); n != 1 {
		t.Errorf("%v rows counted as refused, want 1", n)
	}
	var got message.Message
	var broker, reason string
	err := db.QueryRow(ctx, `
		SELECT broker, name, key, message_id, type, source, subject, time, data_schema, headers, data, reason
		FROM outbox_refused`).Scan(&broker, &got.To.Name, &got.Key, &got.ID, &got.Type, &got.Source, &got.Subject,
		&got.Time, &got.DataSchema, &got.Headers, &got.Data, &reason)
	got.To.Broker, got.Time = message.Broker(broker), got.Time.UTC()
	if diff := cmp.Diff(bad, got); err != nil || diff != "" || reason == "" {
		t.Errorf("set aside for %q: %v (-want +got):\n%s", reason, err, diff)
	}
}

// TestStop ends the relay while a batch is unconfirmed.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	began, confirm := make(chan struct{}), make(chan struct{})
	var sent recorder
	relay := newRelay(t, db, Defaults(), only(publisher(func(ctx context.Context, messages ...message.Message) error {
		close(began)
		select {
		case <-confirm:
		case <-ctx.Done():
			return ctx.Err()
		}
		return sent.Publish(ctx, messages...)
	})))
	add(ctx, t, db, newMessage(topic, "a", 1), newMessage(topic, "a", 2))
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- relay.Run(running) }()
	<-began
	stop()
	select {
	case err := <-done:
		t.Fatalf("Run returned %v with a batch in flight", err)
	case <-time.After(100 * time.Millisecond): // nothing says that it goes on waiting
	}
	close(confirm)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := count(ctx, t, db, "outbox"); n != 1 || sent.len() != 1 {
		t.Errorf("%d rows left and %d sent, want 1 and 1", n, sent.len())
	}
	var locks int
	row := db.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 'outbox'::regclass
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err := row.Scan(&locks); err != nil || locks != 0 {
		t.Errorf("%d locks left, %v", locks, err)
	}
}

// TestStopWhileBrokerIsAway does not wait for a confirmation that may never come.
func TestStopWhileBrokerIsAway(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	began := make(chan struct{})
	relay := newRelay(t, db, Defaults(), only(publisher(func(ctx context.Context, _ ...message.Message) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	})))
	add(ctx, t, db, newMessage(topic, "a", 1))
	stop := runRelay(ctx, t, relay)
	<-began
	start := time.Now()
	stop()
	if took := time.Since(start); took > 2*finishTime {
		t.Errorf("it took %s to stop", took)
	}
	if n := count(ctx, t, db, "outbox"); n != 1 {
		t.Errorf("%d rows left, want the one that was not confirmed", n)
	}
}

// TestNoPublisher leaves rows of a broker that nobody serves where they are.
func TestNoPublisher(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	add(ctx, t, db, newMessage(exchange, "a", 1), newMessage(topic, "a", 1))
	relay := newRelay(t, db, Defaults(), map[message.Broker]message.Publisher{message.Kafka: &sent})
	runRelay(ctx, t, relay)
	eventually(ctx, t, "the other broker's row is sent", func() bool { return sent.len() == 1 })
	eventually(ctx, t, "the row counts as failed", func() bool {
		return testutil.ToFloat64(relay.metrics.failures.WithLabelValues("rabbitmq", "OrderExchange", "internal")) > 0
	})
	if n := count(ctx, t, db, "outbox_refused"); n != 0 {
		t.Errorf("%d rows set aside", n)
	}
}

// TestSessionsKilled ends every session of the relay while rows come.
func TestSessionsKilled(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	relay := newRelay(t, db, Defaults(), only(&sent))
	runRelay(ctx, t, relay)
	const rows = 300
	for i := range rows {
		add(ctx, t, db, newMessage(topic, fmt.Sprint("k", i%10), i))
		if i%100 == 50 {
			eventually(ctx, t, "the shards are held", func() bool {
				return testutil.ToFloat64(relay.metrics.shards) == Shards
			})
			if _, err := db.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name LIKE 'outbox%'`); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(ctx, t, "all are sent", func() bool { return len(sent.ids()) == rows })
	eventually(ctx, t, "all are deleted", func() bool { return count(ctx, t, db, "outbox") == 0 })
	checkOrder(t, sent.ids(), rows)
}

// checkOrder checks that the nth message of k(n%10) came after the ones before it.
func checkOrder(t *testing.T, ids []string, rows int) {
	t.Helper()
	want := map[string][]string{}
	for i := range rows {
		m := newMessage(topic, fmt.Sprint("k", i%10), i)
		want[m.Key] = append(want[m.Key], m.ID)
	}
	for key, w := range want {
		got := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(w, id) })
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}
