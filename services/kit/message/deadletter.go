package message

import (
	"strings"
	"unicode/utf8"
)

// The headers that an adapter adds to a message that it sets aside, beside those
// that the message came with. On both brokers each is text.
const (
	// DeadReason says in words why: see Reason.
	DeadReason = "parley-dead-reason"
	// DeadKind is the name of the fault.Kind.
	DeadKind = "parley-dead-kind"
	// DeadAttempts is how many attempts had failed.
	DeadAttempts = "parley-dead-attempts"
	// DeadTime is when, RFC 3339 in UTC.
	DeadTime = "parley-dead-time"
	// DeadPlace is the topic or queue that the message was read from.
	DeadPlace = "parley-dead-place"
	// DeadGroup is the consumer group, on Kafka.
	DeadGroup = "parley-dead-group"
	// DeadPartition and DeadOffset are the coordinates, on Kafka.
	DeadPartition = "parley-dead-partition"
	DeadOffset    = "parley-dead-offset"
	// DeadOmitted is "data" where the data did not fit beside these headers: it is
	// still at the coordinates.
	DeadOmitted = "parley-dead-omitted"
)

// maxReason bounds a reason in bytes: a panic's has a stack.
const maxReason = 1000

// Reason returns the text of err as one line that a header can carry.
func Reason(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) > maxReason {
		text = text[:maxReason]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
