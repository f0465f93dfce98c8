package kafka

import (
	"time"

	"github.com/IBM/sarama"

	"parley.sh/services/kit/message"
)

// lane is the queue of one key in one partition: its messages are handled one
// after the other. A message without a key has a lane of its own. The claim's
// lock guards it.
type lane struct {
	claim *claim
	key   string
	keyed bool
	tasks []*task
	// timer is set while the lane pauses after a failure.
	timer *time.Timer
}

// task is one message until it is finished. But for size and number, only the
// worker that serves its lane touches it.
type task struct {
	record *sarama.ConsumerMessage
	number uint64
	size   int64

	// message and refusal are what decode made of record, once.
	decoded bool
	message message.Message
	refusal error

	// failures counts the attempts that failed, holds those that did not count.
	failures, holds int
	// stuck says that the alert about it was raised.
	stuck bool
	// letter is why the message must be set aside, once that is decided.
	letter *letter
}

// read decodes the record when it is first needed.
func (t *task) read() {
	if !t.decoded {
		t.message, t.refusal = decode(t.record)
		t.decoded = true
	}
}

// recordOverhead is about what a record costs in memory beside its bytes.
const recordOverhead = 512

func sizeOf(r *sarama.ConsumerMessage) int64 { return int64(recordOverhead + textSize(r)) }

func textSize(r *sarama.ConsumerMessage) int {
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
	}
	return size
}

// detach gives a record memory of its own. As it comes its bytes lie in those of
// its whole batch, so that one message that waits for long would keep all others
// of the batch in memory, which nothing counts.
func detach(r *sarama.ConsumerMessage) {
	room := make([]byte, 0, textSize(r))
	move := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		from := len(room)
		room = append(room, b...)
		return room[from:len(room):len(room)]
	}
	r.Key, r.Value = move(r.Key), move(r.Value)
	for _, h := range r.Headers {
		h.Key, h.Value = move(h.Key), move(h.Value)
	}
}
