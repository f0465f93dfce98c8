package outbox

import (
	"parley.sh/services/kit/message"
)

// destination is a topic or an exchange.
type destination struct {
	broker message.Broker
	name   string
}

// String names it like message.Address does.
func (d destination) String() string { return string(d.broker) + ":" + d.name }

// row is one message of the outbox, in memory.
type row struct {
	id      int64
	shard   int16
	unit    int64
	message message.Message
}

func (r row) to() destination {
	return destination{broker: r.message.To.Broker, name: r.message.To.Name}
}

// overhead is about what a row takes in memory beside its data.
const overhead = 600

func (r row) bytes() int { return overhead + len(r.message.Data) }

// place is what it takes to delete a row.
type place struct {
	id    int64
	shard int16
}

// refusal is a row that its broker refused for good.
type refusal struct {
	place
	to     destination
	reason error
	// message names it in the log; it has no data.
	message message.Message
}
