package messagetest

import (
	"testing"
	"time"

	"parley.sh/services/kit/message"
)

// Attempts is after how many failed attempts a consumer of the suite gives up, if
// it gives up at all. On RabbitMQ that is a ladder of Attempts-1 rungs.
const Attempts = 3

// Wait bounds everything that the suite waits for.
const Wait = 30 * time.Second

// Harness connects the suite to one adapter.
type Harness struct {
	// Ordered says that the broker carries the key of a message and keeps messages of
	// one key in order.
	Ordered bool
	// Place makes an empty place, which is removed when t ends.
	Place func(t *testing.T) Place
}

// Place is one topic or queue, as a test sees it. The functions are called from
// the goroutine of the test.
type Place struct {
	// To is the address whose messages reach the place.
	To message.Address
	// Publisher is ready to use until the test ends.
	Publisher message.Publisher
	// Send puts bytes into the place as a stranger could: the headers as they are,
	// none added.
	Send func(t *testing.T, headers map[string]string, data []byte)
	// Consume starts a consumer with short pauses between attempts, several
	// handlers at once. The function it returns stops the consumer in order and returns
	// when it has ended; a harness calls it at the end of the test if the test did not,
	// and calling it twice does no harm.
	Consume func(t *testing.T, c Consumer) (stop func())
	// DeadLetters returns all that was set aside so far, in any order.
	DeadLetters func(t *testing.T) []DeadLetter
}

// Consumer is what a test asks of a consumer.
type Consumer struct {
	// GiveUp sets messages aside after Attempts failed attempts; otherwise they are
	// tried again for ever.
	GiveUp  bool
	Handler message.Handler
}

// DeadLetter is a message that was set aside.
type DeadLetter struct {
	// ID is its CloudEvents id, empty if it had none.
	ID   string
	Data []byte
	// Reason says in words why, and Kind is the fault.Kind's name.
	Reason string
	Kind   string
	// Attempts is how many attempts had failed.
	Attempts int
}
