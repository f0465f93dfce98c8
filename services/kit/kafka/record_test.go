package kafka

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// TestEncode: a record carries what message.Attributes says, and decode reads it.
func TestEncode(t *testing.T) {
	t.Parallel()
	tests := map[string]func(m *message.Message){
		"whole": func(m *message.Message) {
			m.DataSchema = "https://parley.sh/schema/ThingHappenedEvent.v1.json"
			m.Headers = map[string]string{message.TraceParent: "00-1-2-01", message.TraceState: "a=b"}
		},
		"least":     func(m *message.Message) { m.Subject = "" },
		"no key":    func(m *message.Message) { m.Key = "" },
		"tombstone": func(m *message.Message) { m.Data = nil },
		"empty":     func(m *message.Message) { m.Data = []byte{} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := testMessage("Things", "key-1")
			change(&m)
			read := overTheWire(t, m)
			want := m.Attributes(message.KafkaPrefix)
			want["content-type"] = message.ContentType
			got := map[string]string{}
			for _, h := range read.Headers {
				got[string(h.Key)] = string(h.Value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			back, err := decode(read)
			if err != nil {
				t.Fatal(err)
			}
			m.Delivery = message.Delivery{Place: "Things", Partition: 3, Offset: 7}
			if diff := cmp.Diff(m, back); diff != "" {
				t.Errorf("message (-sent +read):\n%s", diff)
			}
		})
	}
}

// overTheWire gives the record of m back as a consumer would see it.
func overTheWire(t *testing.T, m message.Message) *sarama.ConsumerMessage {
	t.Helper()
	a := make(arena, 0, arenaSize([]message.Message{m}))
	room := cap(a)
	o := &newBatch(1).out[0]
	o.encode(&m, &a)
	if cap(a) != room {
		t.Errorf("the arena grew from %d to %d bytes", room, cap(a))
	}
	read := &sarama.ConsumerMessage{Topic: o.record.Topic, Partition: 3, Offset: 7}
	for i := range o.record.Headers {
		read.Headers = append(read.Headers, &o.record.Headers[i])
	}
	if o.record.Key != nil {
		read.Key, _ = o.record.Key.Encode()
	}
	if o.record.Value != nil {
		read.Value, _ = o.record.Value.Encode()
	}
	return read
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	_, err := decode(&sarama.ConsumerMessage{Topic: "Things", Value: []byte("garbage")})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("err = %v, want Invalid", err)
	}
}

// FuzzDecode: whatever a record holds, decode ends with a message or with Invalid,
// and a record that is detached from its batch decodes to the same.
func FuzzDecode(f *testing.F) {
	f.Add("ce_id", []byte("1"), "ce_type", []byte("T"), []byte("key"), []byte("{}"))
	f.Add("ce_id", []byte(nil), "ce_id", []byte("2"), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, name string, value []byte, other string, text, key, data []byte) {
		r := &sarama.ConsumerMessage{Topic: "Things", Key: key, Value: data}
		whole := testMessage("Things", "key").Attributes(message.KafkaPrefix)
		for _, attribute := range slices.Sorted(maps.Keys(whole)) {
			r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(attribute), Value: []byte(whole[attribute])})
		}
		r.Headers = append(r.Headers,
			&sarama.RecordHeader{Key: []byte(name), Value: value}, &sarama.RecordHeader{Key: []byte(other), Value: text})
		m, err := decode(r)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("err = %v, want Invalid", err)
		}
		detach(r)
		again, _ := decode(r)
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("message changed when it was detached:\n%s", diff)
		}
	})
}

func TestClassify(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"too large":          {sarama.ErrMessageSizeTooLarge, fault.Invalid},
		"invalid record":     {sarama.ErrInvalidRecord, fault.Invalid},
		"no legal topic":     {sarama.ErrInvalidTopic, fault.Invalid},
		"cannot be encoded":  {sarama.PacketEncodingError{Info: "x"}, fault.Invalid},
		"unknown topic":      {sarama.ErrUnknownTopicOrPartition, fault.Unavailable},
		"not the leader":     {sarama.ErrNotLeaderForPartition, fault.Unavailable},
		"too few replicas":   {sarama.ErrNotEnoughReplicas, fault.Unavailable},
		"no broker":          {sarama.ErrOutOfBrokers, fault.Unavailable},
		"may not write":      {sarama.ErrTopicAuthorizationFailed, fault.Unavailable},
		"out of order":       {sarama.ErrOutOfOrderSequenceNumber, fault.Unavailable},
		"anything":           {errors.New("boom"), fault.Unavailable},
		"closed":             {errClosed, fault.Unavailable},
		"classified already": {fault.New(fault.Invalid, "bad"), fault.Invalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := classify(tc.err); !fault.Is(got, tc.want) {
				t.Errorf("classify = %v (%s), want %s", got, fault.KindOf(got), tc.want)
			}
		})
	}
	if err := classify(nil); err != nil {
		t.Errorf("classify(nil) = %v", err)
	}
}

func TestLegalTopic(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Orders", "Orders.order.dlq", "a-b_c.1"} {
		if !legalTopic(name) {
			t.Errorf("%q is legal", name)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "a/b", "zażółć", string(make([]byte, 250))} {
		if legalTopic(name) {
			t.Errorf("%q is not legal", name)
		}
	}
}
