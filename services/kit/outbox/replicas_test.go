package outbox

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// held returns how many shards each relay holds, the most first.
func held(relays ...*Relay) []int {
	var n []int
	for _, r := range relays {
		n = append(n, int(testutil.ToFloat64(r.metrics.shards)))
	}
	slices.Sort(n)
	slices.Reverse(n)
	return n
}

// TestQuota shares out every shard, evenly, whatever the number of replicas.
func TestQuota(t *testing.T) {
	t.Parallel()
	for replicas := 1; replicas <= Shards+3; replicas++ {
		sum, least, most := 0, Shards, 0
		for rank := range replicas {
			n := quota(rank, replicas)
			sum, least, most = sum+n, min(least, n), max(most, n)
		}
		if ceil := (Shards + replicas - 1) / replicas; sum != Shards || most > ceil || most-least > 1 {
			t.Errorf("%d replicas hold %d to %d, %d in all", replicas, least, most, sum)
		}
	}
}

// TestBalance lets replicas come and go under load. As none dies, nothing is sent
// twice.
func TestBalance(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	start := func() (*Relay, func()) {
		r := newRelay(t, db, Defaults(), only(&sent))
		r.timing.interval = 20 * time.Millisecond
		return r, runRelay(ctx, t, r)
	}
	rows := 0
	settle := func(want []int, relays ...*Relay) {
		eventually(ctx, t, fmt.Sprintf("the shards are shared %v", want), func() bool {
			add(ctx, t, db, newMessage(topic, fmt.Sprint("k", rows%10), rows))
			rows++
			relays[rows%len(relays)].Wake()
			return slices.Equal(held(relays...), want)
		})
	}
	a, _ := start()
	settle([]int{16}, a)
	b, stopB := start()
	settle([]int{8, 8}, a, b)
	c, _ := start()
	settle([]int{6, 5, 5}, a, b, c)
	stopB()
	settle([]int{8, 8}, a, c)
	eventually(ctx, t, "all are sent and deleted", func() bool { return count(ctx, t, db, "outbox") == 0 })
	if n := sent.len(); n != rows {
		t.Errorf("%d rows were sent %d times", rows, n)
	}
	checkOrder(t, sent.ids(), rows)
}

// TestWakeOfAnotherReplica commits in one process what another one relays.
func TestWakeOfAnotherReplica(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cfg := Defaults()
	cfg.PollMin, cfg.PollMax = time.Hour, time.Hour
	var sent recorder
	start := func() *Relay {
		r := newRelay(t, db, cfg, only(&sent))
		r.timing.interval = 20 * time.Millisecond
		runRelay(ctx, t, r)
		return r
	}
	a, b := start(), start()
	eventually(ctx, t, "the shards are shared", func() bool { return slices.Equal(held(a, b), []int{8, 8}) })
	const rows = 50 // some of them in the shards of each
	for i := range rows {
		add(ctx, t, db, newMessage(topic, fmt.Sprint("k", i%10), i))
	}
	a.Wake()
	eventually(ctx, t, "all are sent", func() bool { return sent.len() == rows })
}

// TestBalanceWhileBrokerIsAway hands shards over although RabbitMQ confirms nothing
// that is in flight, and relays Kafka's rows of them.
func TestBalanceWhileBrokerIsAway(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	var sent recorder
	start := func() *Relay {
		r := newRelay(t, db, Defaults(), map[message.Broker]message.Publisher{
			message.Kafka: &sent,
			message.RabbitMQ: publisher(func(ctx context.Context, _ ...message.Message) error {
				<-ctx.Done()
				return ctx.Err()
			}),
		})
		r.timing.interval = 20 * time.Millisecond
		runRelay(ctx, t, r)
		return r
	}
	const keys = 40
	for i := range keys {
		add(ctx, t, db, newMessage(exchange, fmt.Sprint("k", i), 1))
	}
	a := start()
	eventually(ctx, t, "all is in flight", func() bool { return slices.Equal(held(a), []int{16}) })
	began := time.Now()
	b := start()
	eventually(ctx, t, "the shards are shared", func() bool { return slices.Equal(held(a, b), []int{8, 8}) })
	if took := time.Since(began); took > 3*finishTime {
		t.Errorf("it took %s", took)
	}
	for i := range keys {
		add(ctx, t, db, newMessage(topic, fmt.Sprint("k", i), 1))
	}
	eventually(ctx, t, "Kafka's rows are sent", func() bool { return sent.len() == keys })
}

// lossLimit is what the outbox promises of a relay that is cut off.
const lossLimit = 20 * time.Second

// TestHalfOpen freezes the connections between a relay and its database.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	behind, proxy := servertest.DatabaseThrough(t, db.Config().ConnString())
	var cut, other recorder
	first := newRelay(t, openURL(t, behind), Defaults(), only(&cut))
	runRelay(ctx, t, first)
	eventually(ctx, t, "the first relay holds all", func() bool { return slices.Equal(held(first), []int{Shards}) })
	second := newRelay(t, db, Defaults(), only(&other))
	proxy.Freeze()
	frozen := time.Now()
	add(ctx, t, db, newMessage(topic, "a", 1))
	runRelay(ctx, t, second)
	eventually(ctx, t, "the second relay holds all", func() bool { return slices.Equal(held(second), []int{Shards}) })
	eventually(ctx, t, "the row is sent", func() bool { return other.len() == 1 })
	if took := time.Since(frozen); took > lossLimit {
		t.Errorf("it took %s", took)
	}
	if diff := cmp.Diff([]int{0}, held(first)); diff != "" {
		t.Errorf("the relay that was cut off holds shards:\n%s", diff)
	}
	proxy.Thaw()
	eventually(ctx, t, "they share", func() bool { return slices.Equal(held(first, second), []int{8, 8}) })
	if cut.len() != 0 {
		t.Error("the relay that was cut off sent the row")
	}
}

// TestSilent has a replica that stops dead, as a paused machine does: its kernel
// may keep the connection up, and nobody closes it.
func TestSilent(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	silent := &session{
		tenure: newTenure(time.Now()), timing: defaultTiming(), log: testLog(t), gauge: func(int) {}, woken: func() {},
	}
	if err := silent.connect(ctx, db.Config().ConnConfig); err != nil {
		t.Fatal(err)
	}
	defer silent.close(ctx)
	if err := silent.beat(ctx); err != nil || silent.count() != Shards {
		t.Fatalf("it holds %d shards, %v", silent.count(), err)
	}
	start := time.Now()
	var sent recorder
	other := newRelay(t, db, Defaults(), only(&sent))
	add(ctx, t, db, newMessage(topic, "a", 1))
	runRelay(ctx, t, other)
	eventually(ctx, t, "the other relay holds all", func() bool { return slices.Equal(held(other), []int{Shards}) })
	eventually(ctx, t, "the row is sent", func() bool { return sent.len() == 1 })
	if took := time.Since(start); took > lossLimit {
		t.Errorf("it took %s", took)
	}
	if silent.tenure.fresh(time.Now(), silent.timing.fresh) {
		t.Error("the silent replica would begin new work when it wakes up")
	}
}

// TestLostSessionStopsWork sends nothing more once the session is lost, and what is
// in flight is cut off.
func TestLostSessionStopsWork(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	cutOff, calls := make(chan error, 10), make(chan struct{}, 10)
	relay := newRelay(t, db, Defaults(), only(publisher(func(ctx context.Context, _ ...message.Message) error {
		calls <- struct{}{}
		<-ctx.Done()
		cutOff <- context.Cause(ctx)
		return ctx.Err()
	})))
	add(ctx, t, db, newMessage(topic, "a", 1))
	stop := runRelay(ctx, t, relay)
	<-calls
	if _, err := db.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'outbox shards'`); err != nil {
		t.Fatal(err)
	}
	if err := <-cutOff; err == nil {
		t.Error("the batch was not cut off")
	}
	<-calls // the relay is back, and tries again
	go stop()
	if _, err := db.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'outbox shards'`); err != nil {
		t.Fatal(err)
	}
	if err := <-cutOff; err == nil {
		t.Error("the second batch was not cut off")
	}
}
