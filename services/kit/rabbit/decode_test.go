package rabbit

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func goodHeaders() amqp.Table {
	return amqp.Table{
		"cloudEvents_id": "1", "cloudEvents_source": "order", "cloudEvents_type": "T",
		"cloudEvents_specversion": "1.0", "cloudEvents_time": "2026-11-23T12:00:00Z", "cloudEvents_subject": "o-1",
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	plain := message.Message{
		ID: "1", Source: "order", Type: "T", Subject: "o-1", Key: "o-1", Time: at, Data: []byte("{}"),
		To:       message.Address{Broker: message.RabbitMQ, Name: "X", RoutingKey: "k"},
		Delivery: message.Delivery{Place: "Q", Attempt: 1},
	}
	tests := map[string]struct {
		change func(h amqp.Table)
		want   func(m *message.Message)
	}{
		"plain": {func(amqp.Table) {}, func(*message.Message) {}},
		"long prefix": {func(h amqp.Table) {
			delete(h, "cloudEvents_id")
			h["cloudEvents:id"] = "2"
		}, func(m *message.Message) { m.ID = "2" }},
		"both prefixes": {func(h amqp.Table) { h["cloudEvents:id"] = "2" }, func(*message.Message) {}},
		"time as timestamp": {
			func(h amqp.Table) { h["cloudEvents_time"] = at.Add(time.Hour).Local() },
			func(m *message.Message) { m.Time = at.Add(time.Hour) },
		},
		"bytes": {
			func(h amqp.Table) { h["cloudEvents_subject"] = []byte("o-2") },
			func(m *message.Message) { m.Subject, m.Key = "o-2", "o-2" },
		},
		"attempts": {func(h amqp.Table) { h[HeaderAttempts] = int64(3) }, func(m *message.Message) { m.Delivery.Attempt = 4 }},
		"after a rung": {
			func(h amqp.Table) { h[HeaderExchange], h[HeaderKey] = "First", "a.b" },
			func(m *message.Message) { m.To.Name, m.To.RoutingKey = "First", "a.b" },
		},
		"no key at first": {
			func(h amqp.Table) { h[HeaderExchange] = "First" },
			func(m *message.Message) { m.To.Name, m.To.RoutingKey = "First", "" },
		},
		"odd headers": {func(h amqp.Table) { h["list"], h["nil"], h["n"] = []any{1}, nil, 3.5 }, func(*message.Message) {}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers, want := goodHeaders(), plain
			tc.change(headers)
			tc.want(&want)
			got, err := decode("Q", &amqp.Delivery{Headers: headers, Exchange: "X", RoutingKey: "k", Body: []byte("{}")})
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value any
		want  int
	}{
		{nil, 0},
		{int64(5), 5},
		{int32(5), 5},
		{int16(5), 5},
		{int8(5), 5},
		{byte(5), 5},
		{uint16(5), 5},
		{uint32(5), 5},
		{int64(-1), 0},
		{int64(1) << 40, 0},
		{"5", 0},
		{5.0, 0},
		{[]any{int64(5)}, 0},
		{amqp.Table{}, 0},
	} {
		if got := attemptsOf(amqp.Table{HeaderAttempts: tc.value}); got != tc.want {
			t.Errorf("%T %v = %d attempts, want %d", tc.value, tc.value, got, tc.want)
		}
	}
}

// tableOf makes headers of any types out of bytes.
func tableOf(b []byte) amqp.Table {
	names := []string{
		"cloudEvents_id", "cloudEvents_time", "cloudEvents:time", "cloudEvents_type", HeaderAttempts, HeaderExchange,
		HeaderKey, message.TraceParent, "CC", "x-death", "other",
	}
	table := goodHeaders()
	for len(b) >= 4 {
		name, kind, n := names[int(b[0])%len(names)], b[1], int(b[2])
		b = b[3:]
		value := b[:min(n, len(b))]
		b = b[len(value):]
		table[name] = valueOf(kind, value)
	}
	return table
}

func valueOf(kind byte, b []byte) any {
	var eight [8]byte
	copy(eight[:], b)
	n := binary.BigEndian.Uint64(eight[:])
	return []any{
		string(b), b, int64(n), int32(n), int16(n), int8(n), byte(n), n > 9, float64(n), nil, time.Unix(int64(n>>20), 0),
		[]any{string(b), int64(n)},
		amqp.Table{"nested": b},
		strings.Repeat(string(b), 300), uint16(n), uint32(n),
		amqp.Decimal{Scale: byte(n), Value: int32(n)},
	}[int(kind)%17]
}

// Whatever a stranger puts into the headers, decoding does not panic, an error is
// Invalid, and the copy for the ladder is one that the client library can send and
// that fits a frame.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{}, []byte("{}"), "exchange", "key")
	f.Add([]byte{4, 2, 8, 0, 0, 0, 0, 0, 0, 0, 9, 5, 0, 3, 'a', 'b', 'c'}, []byte{0xff}, "", "")
	f.Add([]byte{1, 10, 8, 255, 255, 255, 255, 255, 255, 255, 255, 8, 11, 1, 'x'}, []byte(nil), "x", "y")
	f.Fuzz(func(t *testing.T, raw, body []byte, exchange, key string) {
		d := &amqp.Delivery{Headers: tableOf(raw), Body: body, Exchange: exchange, RoutingKey: key}
		m, err := decode("q", d)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("error of kind %s: %v", fault.KindOf(err), err)
		}
		if m.Delivery.Attempt < 1 || m.Delivery.Place != "q" {
			t.Fatalf("delivery %+v", m.Delivery)
		}
		rung := verdict{key: "1s", attempts: m.Delivery.Attempt}
		i := copyOf(d, "q", rung, notes(d, "q", rung, errBroken))
		if err := i.body.Headers.Validate(); err != nil {
			t.Fatal(err)
		}
		if size := weight(i.body.Headers); size > frameSize-(4<<10) {
			t.Fatalf("headers of the copy weigh %d", size)
		}
		again, err := decode("q", &amqp.Delivery{Headers: i.body.Headers, Body: body})
		if again.Delivery.Attempt != m.Delivery.Attempt+1 {
			t.Fatalf("attempt %d follows %d (%v)", again.Delivery.Attempt, m.Delivery.Attempt, err)
		}
	})
}
