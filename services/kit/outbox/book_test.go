package outbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

var (
	errDown    = fault.New(fault.Unavailable, "the broker is down")
	errNack    = fault.New(fault.Unavailable, "nacked")
	errInvalid = fault.New(fault.Invalid, "too large")
	errOdd     = errors.New("nobody knows")
)

// testRow returns a row as the table has it.
func testRow(id int64, to message.Address, key string) row {
	m := newMessage(to, key, int(id))
	return row{id: id, shard: shardOf(key), unit: unitOf(m), message: m}
}

func testConfig() Config {
	cfg := Defaults()
	cfg.Batch, cfg.InFlight, cfg.Buffer = 8, 2, 64
	return cfg
}

// holding returns a book that holds every shard.
func holding(cfg Config) *book {
	b := newBook(cfg)
	for s := range Shards {
		b.acquire(s)
	}
	return b
}

// feed lets b read rows of the table, of which it leaves out what it knows.
func feed(b *book, now time.Time, rows ...row) {
	q := b.begin(now)
	b.admit(q, haul{rows: slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		return slices.Contains(q.known, r.id) || slices.Contains(q.parked, r.unit) || slices.Contains(q.full, r.to())
	})})
}

func heads(flights []*flight) []string {
	ids := []string{}
	for _, f := range flights {
		for _, u := range f.units {
			ids = append(ids, u.rows[0].message.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func same(n int, err error) []error { return slices.Repeat([]error{err}, n) }

func TestTakeOneOfAUnit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := holding(testConfig())
	feed(b, now, testRow(1, topic, "a"), testRow(2, topic, "a"), testRow(3, topic, "b"), testRow(4, exchange, "a"))
	flights := b.take(now)
	want := []string{"OrderExchange/a/4", "Orders/a/1", "Orders/b/3"}
	if diff := cmp.Diff(want, heads(flights)); diff != "" {
		t.Fatalf("sent (-want +got):\n%s", diff)
	}
	if more := b.take(now); len(more) != 0 {
		t.Fatalf("%v go before the first is confirmed", heads(more))
	}
	for _, f := range flights {
		b.settle(f, same(len(f.units), nil), now)
	}
	if diff := cmp.Diff([]string{"Orders/a/2"}, heads(b.take(now))); diff != "" {
		t.Errorf("sent next (-want +got):\n%s", diff)
	}
}

// TestRoutingKeysShareAUnit keeps a cancellation behind what it cancels.
func TestRoutingKeysShareAUnit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cancel := exchange
	cancel.RoutingKey = "order.cancel-requested"
	b := holding(testConfig())
	feed(b, now, testRow(1, exchange, "a"), testRow(2, cancel, "a"))
	if diff := cmp.Diff([]string{"OrderExchange/a/1"}, heads(b.take(now))); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestBisect refuses every batch that holds the bad row, blaming all of it.
func TestBisect(t *testing.T) {
	t.Parallel()
	tests := map[string]error{"invalid": errInvalid, "unavailable": errDown, "internal": errOdd}
	for name, refused := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const bad = "Orders/k3/4"
			now := time.Now()
			b := holding(testConfig())
			rows := []row{}
			for i := range 8 {
				rows = append(rows, testRow(int64(i+1), topic, fmt.Sprintf("k%d", i)))
			}
			feed(b, now, rows...)
			sent, aside, alone := map[string]bool{}, 0, 0
			for range 100 {
				now = now.Add(time.Minute)
				for _, f := range b.take(now) {
					ids := heads([]*flight{f})
					hit := slices.Contains(ids, bad)
					results := same(len(ids), nil)
					if hit {
						results = same(len(ids), refused)
						alone += 1 / len(ids)
					}
					aside += len(b.settle(f, results, now).refused)
					for _, id := range ids {
						sent[id] = sent[id] || !hit
					}
				}
				// What is parked is read again when it is due.
				feed(b, now.Add(time.Minute), slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
					return sent[r.message.ID] || aside > 0
				})...)
			}
			delete(sent, bad)
			wantAside := 0
			if fault.Is(refused, fault.Invalid) {
				wantAside = 1
			}
			if len(sent) != 7 || aside != wantAside || alone == 0 {
				t.Errorf("%d confirmed, %d set aside, alone %d times; want 7, %d, some", len(sent), aside, alone, wantAside)
			}
		})
	}
}

// TestRefusedGoesOn sets a row aside; the next of its unit follows at once.
func TestRefusedGoesOn(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := holding(testConfig())
	feed(b, now, testRow(1, topic, "a"), testRow(2, topic, "a"))
	v := b.settle(b.take(now)[0], []error{errInvalid}, now)
	if len(v.refused) != 1 || v.refused[0].id != 1 || v.refused[0].to != (destination{topic.Broker, topic.Name}) {
		t.Fatalf("refused %+v", v.refused)
	}
	if diff := cmp.Diff([]string{"Orders/a/2"}, heads(b.take(now))); diff != "" {
		t.Errorf("sent next (-want +got):\n%s", diff)
	}
}

// TestNackedMiddle parks the one unit that failed and lets the others go on.
func TestNackedMiddle(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := holding(testConfig())
	rows := []row{}
	for i, key := range []string{"a", "b", "c", "a", "b", "c"} {
		rows = append(rows, testRow(int64(i+1), topic, key))
	}
	feed(b, now, rows...)
	f := b.take(now)[0]
	if diff := cmp.Diff([]string{"Orders/a/1", "Orders/b/2", "Orders/c/3"}, heads([]*flight{f})); diff != "" {
		t.Fatalf("sent (-want +got):\n%s", diff)
	}
	v := b.settle(f, []error{nil, errNack, nil}, now)
	if v.whole || v.confirmed != 2 || v.failed[fault.Unavailable] != 1 {
		t.Errorf("verdict %+v", v)
	}
	if diff := cmp.Diff([]string{"Orders/a/4", "Orders/c/6"}, heads(b.take(now))); diff != "" {
		t.Errorf("sent next (-want +got):\n%s", diff)
	}
	if q := b.begin(now); !slices.Equal(q.parked, []int64{rows[1].unit}) {
		t.Errorf("a read leaves out the units %v, want that of b", q.parked)
	}
	late := now.Add(time.Second)
	q := b.begin(late)
	if len(q.parked) != 0 || slices.Contains(q.known, 2) || slices.Contains(q.known, 5) {
		t.Errorf("when it is due a read leaves out %v and %v", q.parked, q.known)
	}
	b.admit(q, haul{rows: []row{rows[1], rows[4]}})
	if diff := cmp.Diff([]string{"Orders/b/2"}, heads(b.take(late))); diff != "" {
		t.Errorf("sent when due (-want +got):\n%s", diff)
	}
}

// TestReadOfAParkedUnit brings a later row of a unit whose first one failed while
// the read was under way.
func TestReadOfAParkedUnit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := holding(testConfig())
	feed(b, now, testRow(1, topic, "a"), testRow(2, topic, "b"))
	f := b.take(now)[0]
	q := b.begin(now) // row 1 is known: the read leaves it out
	errs := []error{errNack, nil}
	b.settle(f, errs, now)
	b.admit(q, haul{rows: []row{testRow(3, topic, "a")}})
	if got := heads(b.take(now.Add(time.Hour))); len(got) != 0 {
		t.Errorf("%v overtake row 1", got)
	}
}

// TestDestinationDown tries one batch at a time, and everything once it is back.
func TestDestinationDown(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cfg := testConfig()
	b := holding(cfg)
	rows := []row{}
	for i := range 32 {
		rows = append(rows, testRow(int64(i+1), topic, fmt.Sprintf("k%d", i)))
	}
	feed(b, now, rows...)
	for _, f := range b.take(now) {
		if v := b.settle(f, same(len(f.units), errDown), now); !v.whole {
			t.Error("the destination is to blame")
		}
	}
	if got := b.take(now); len(got) != 0 {
		t.Errorf("%d batches go without a pause", len(got))
	}
	feed(b, now, testRow(100, exchange, "k1"))
	if diff := cmp.Diff([]string{"OrderExchange/k1/100"}, heads(b.take(now))); diff != "" {
		t.Errorf("another destination (-want +got):\n%s", diff)
	}
	now = now.Add(cfg.RetryMax)
	feed(b, now, rows...)
	probe := b.take(now)
	if len(probe) != 1 {
		t.Fatalf("%d batches at a time are tried", len(probe))
	}
	sent := map[string]bool{}
	for flights := probe; len(flights) > 0; flights = b.take(now) {
		for _, f := range flights {
			for _, id := range heads([]*flight{f}) {
				sent[id] = true
			}
			b.settle(f, same(len(f.units), nil), now)
		}
		feed(b, now, slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return sent[r.message.ID] })...)
	}
	if len(sent) != len(rows) {
		t.Errorf("%d of %d rows were sent once it was back", len(sent), len(rows))
	}
}

// TestRelease keeps only what is in flight, and does not try it again.
func TestRelease(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{"confirmed": nil, "failed": errNack, "down": errDown} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			b := holding(testConfig())
			shard := int(shardOf("a"))
			feed(b, now, testRow(1, topic, "a"), testRow(2, topic, "a"))
			f := b.take(now)[0]
			q := b.begin(now)
			b.release(shard)
			if b.rows[shard] != 1 {
				t.Errorf("%d rows stay in memory, want the one in flight", b.rows[shard])
			}
			b.admit(q, haul{rows: []row{testRow(3, topic, "a")}})
			b.settle(f, []error{result}, now)
			l := b.lane(f.lane.to)
			b.forget(l.to, l.done...)
			if b.rows[shard] != 0 || len(l.known) != 0 || len(l.units) != 0 || l.bytes != 0 {
				t.Errorf("left: %d rows, %d known, %d units, %d bytes", b.rows[shard], len(l.known), len(l.units), l.bytes)
			}
			if got := b.take(now.Add(time.Hour)); len(got) != 0 {
				t.Errorf("%v is sent again", heads(got))
			}
		})
	}
}

// TestBounds keeps rows and bytes of a destination within their bounds, and says
// that there is more.
func TestBounds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cfg := testConfig()
	cfg.BufferBytes = 10 * testRow(1, topic, "a").bytes()
	b := holding(cfg)
	rows := []row{}
	for i := range 20 {
		rows = append(rows, testRow(int64(i+1), topic, "a"))
	}
	feed(b, now, rows...)
	if n := len(b.lane(rows[0].to()).known); n != 10 {
		t.Errorf("%d rows in memory, want 10", n)
	}
	if q := b.begin(now); !slices.Equal(q.full, []destination{rows[0].to()}) {
		t.Errorf("the next read leaves out %v", q.full)
	}
	if b.backlog() {
		t.Error("there is no room to read more")
	}
	f := b.take(now)[0]
	b.settle(f, same(1, nil), now)
	if !b.backlog() {
		t.Error("there is room, and more to read")
	}
}

// TestSweep reads on the cheap while it brings all that there is.
func TestSweep(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := holding(testConfig())
	b.sweep = 3
	if q := b.begin(now); q.sweep || !b.backlog() {
		t.Error("nobody knows yet what there is")
	}
	feed(b, now, testRow(1, topic, "a"))
	q := b.begin(now)
	if !q.sweep || q.limit != 3 || b.backlog() {
		t.Fatalf("%+v after a read that brought all", q)
	}
	b.admit(q, haul{rows: []row{testRow(3, topic, "b"), testRow(4, topic, "b"), testRow(5, topic, "c")}})
	if got := heads(b.take(now)); !slices.Equal(got, []string{"Orders/a/1"}) {
		t.Errorf("%v are sent after a sweep that may have left out row 2", got)
	}
	if q := b.begin(now); q.sweep || !b.backlog() {
		t.Error("a sweep is not to follow one that brought as much as it can")
	}
}
