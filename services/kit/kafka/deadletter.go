package kafka

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// letter is why a message is set aside.
type letter struct {
	reason   string
	kind     fault.Kind
	attempts int
}

// letters sends records to the dead-letter topics of a group, as they came, with
// the reason and their coordinates as further headers.
type letters struct {
	group     string
	publisher *Publisher
	now       func() time.Time
}

// send returns when the dead letter is confirmed. A record that does not fit
// together with its new headers goes without its value, which stays at its
// coordinates.
func (l *letters) send(ctx context.Context, r *sarama.ConsumerMessage, why *letter) error {
	ctx, cancel := context.WithTimeout(ctx, letterTimeout)
	defer cancel()
	headers := l.headers(r, why)
	err := l.publish(ctx, r, r.Value, headers)
	if fault.Is(err, fault.Invalid) && len(r.Value) > 0 {
		headers = append(headers, header(message.DeadOmitted, "data"))
		return l.publish(ctx, r, nil, headers)
	}
	return err
}

// letterTimeout bounds one attempt to send a dead letter.
const letterTimeout = 30 * time.Second

func (l *letters) publish(
	ctx context.Context, r *sarama.ConsumerMessage, value []byte, headers []sarama.RecordHeader,
) error {
	b := newBatch(1)
	o := &b.out[0]
	o.fill(DeadLetterTopic(r.Topic, l.group), r.Key, value, headers)
	l.publisher.checkSize(o)
	return classify(l.publisher.deliver(ctx, b)[0])
}

func (l *letters) headers(r *sarama.ConsumerMessage, why *letter) []sarama.RecordHeader {
	headers := make([]sarama.RecordHeader, 0, len(r.Headers)+9)
	for _, h := range r.Headers {
		if !strings.HasPrefix(string(h.Key), "parley-dead-") { // driven again and failed again
			headers = append(headers, *h)
		}
	}
	return slices.Concat(headers, []sarama.RecordHeader{
		header(message.DeadReason, why.reason),
		header(message.DeadKind, why.kind.String()),
		header(message.DeadAttempts, strconv.Itoa(why.attempts)),
		header(message.DeadTime, l.now().UTC().Format(time.RFC3339)),
		header(message.DeadPlace, r.Topic),
		header(message.DeadGroup, l.group),
		header(message.DeadPartition, strconv.Itoa(int(r.Partition))),
		header(message.DeadOffset, strconv.FormatInt(r.Offset, 10)),
	})
}

func header(name, value string) sarama.RecordHeader {
	return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
}
