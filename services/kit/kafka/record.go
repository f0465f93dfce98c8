package kafka

import (
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/message"
)

// The names of the headers, CloudEvents 1.0 in Kafka's binary mode.
var (
	headerID          = []byte(message.KafkaPrefix + "id")
	headerSource      = []byte(message.KafkaPrefix + "source")
	headerType        = []byte(message.KafkaPrefix + "type")
	headerSpecVersion = []byte(message.KafkaPrefix + "specversion")
	headerTime        = []byte(message.KafkaPrefix + "time")
	headerSubject     = []byte(message.KafkaPrefix + "subject")
	headerDataSchema  = []byte(message.KafkaPrefix + "dataschema")
	headerContentType = []byte("content-type")

	specVersion = []byte(message.SpecVersion)
	contentType = []byte(message.ContentType)
)

// fixedHeaders holds every attribute, the content type and a trace.
const fixedHeaders = 10

// outgoing is one record on its way to the broker. It is made in one piece with
// the others of its Publish, so that a record costs no allocation of its own.
type outgoing struct {
	record     sarama.ProducerMessage
	key, value text
	headers    [fixedHeaders]sarama.RecordHeader
	batch      *batch
	// err is written once, before settled.
	err     error
	settled atomic.Bool
}

// text is bytes as a sarama.Encoder. It is used by pointer, which an interface
// holds without an allocation.
type text []byte

// Encode implements sarama.Encoder.
func (t *text) Encode() ([]byte, error) { return *t, nil }

// Length implements sarama.Encoder.
func (t *text) Length() int { return len(*t) }

// arena gives the short texts of a batch one piece of memory.
type arena []byte

func (a *arena) add(s string) []byte {
	from := len(*a)
	*a = append(*a, s...)
	return (*a)[from:len(*a):len(*a)]
}

func (a *arena) addTime(t time.Time) []byte {
	from := len(*a)
	*a = t.UTC().AppendFormat(*a, time.RFC3339Nano)
	return (*a)[from:len(*a):len(*a)]
}

// arenaSize is enough for the texts of messages; an arena that has to grow is
// slower, not wrong.
func arenaSize(messages []message.Message) int {
	size := 0
	for i := range messages {
		m := &messages[i]
		size += len(m.ID) + len(m.Source) + len(m.Type) + len(m.Subject) + len(m.DataSchema) + len(m.Key)
		size += len(time.RFC3339Nano)
		for name, value := range m.Headers {
			size += len(name) + len(value)
		}
	}
	return size
}

// encode fills o with the record of m. Data is not copied.
func (o *outgoing) encode(m *message.Message, a *arena) {
	h := append(o.headers[:0],
		sarama.RecordHeader{Key: headerID, Value: a.add(m.ID)},
		sarama.RecordHeader{Key: headerSource, Value: a.add(m.Source)},
		sarama.RecordHeader{Key: headerType, Value: a.add(m.Type)},
		sarama.RecordHeader{Key: headerSpecVersion, Value: specVersion},
		sarama.RecordHeader{Key: headerTime, Value: a.addTime(m.Time)},
		sarama.RecordHeader{Key: headerContentType, Value: contentType},
	)
	if m.Subject != "" {
		h = append(h, sarama.RecordHeader{Key: headerSubject, Value: a.add(m.Subject)})
	}
	if m.DataSchema != "" {
		h = append(h, sarama.RecordHeader{Key: headerDataSchema, Value: a.add(m.DataSchema)})
	}
	for name, value := range m.Headers {
		h = append(h, sarama.RecordHeader{Key: a.add(name), Value: a.add(value)})
	}
	o.fill(m.To.Name, a.add(m.Key), m.Data, h)
}

// fill sets the record. An empty key is no key, and a nil value is a tombstone.
func (o *outgoing) fill(topic string, key, value []byte, headers []sarama.RecordHeader) {
	o.key, o.value = key, value
	o.record = sarama.ProducerMessage{Topic: topic, Headers: headers, Metadata: o}
	if len(key) > 0 {
		o.record.Key = &o.key
	}
	if value != nil {
		o.record.Value = &o.value
	}
}

// decode reads the message that a record carries; an error is Invalid.
func decode(r *sarama.ConsumerMessage) (message.Message, error) {
	headers := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	m, err := message.Parse(message.KafkaPrefix, headers, r.Value)
	m.Key = string(r.Key)
	m.To = message.Address{Broker: message.Kafka, Name: r.Topic}
	m.Delivery = message.Delivery{Place: r.Topic, Partition: r.Partition, Offset: r.Offset}
	return m, err
}
