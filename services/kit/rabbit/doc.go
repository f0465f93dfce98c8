// Package rabbit speaks to RabbitMQ: a Publisher that confirms, a Consumer that
// retries over a ladder, and a Subscriber for hints. It hides the client library.
//
// # Promises
//
// Publish returns when the broker has confirmed each message, or says why not. What
// is lost with a connection is sent again with the same id, until ctx ends, so a
// message arrives at least once. Messages of one key go over one channel, in order.
// Of one message:
//
//	confirmed                                 nil
//	reached no queue (mandatory)              Unavailable: the binding may be made
//	nacked, as by a full queue                Unavailable
//	exchange is not there, or not allowed     Unavailable: it may be made, or allowed
//	too large or malformed for the broker     Invalid
//	not confirmed when ctx ended              Unavailable: it may have arrived
//
// The last two of the broker's own verdicts close a channel, with all that is on it.
// What was unconfirmed there goes to a channel apart and is halved until the message
// at fault is alone; the others are sent as if nothing had happened, and messages to
// that exchange stay apart until one is taken.
//
// A Consumer acknowledges a delivery when its handler's effect is durable, or when the
// broker has confirmed a copy where the failure sends it. The kind of the failure
// decides, by the table of package fault:
//
//	nil, Conflict       acknowledged
//	Invalid             to <queue>.dlq
//	Internal, NotFound  to the next rung <queue>.retry.<delay>, one attempt spent;
//	                    after the last one to <queue>.dlq, or with GiveUp false to
//	                    the last one again, with an alert
//	Unavailable         held in place with growing pauses, then to the last rung; no
//	                    attempt spent however long it takes
//
// Copies go through the direct exchange <queue>.retry, which is made with the queue,
// under the key <delay> or "dlq". Attempts are counted in a header of our own. Nothing
// is ever rejected or requeued. While a copy cannot be published the delivery stays
// unacknowledged and rabbit_stuck says so.
//
// # Sessions
//
// A session is one connection with its channels. What comes next is another session
// with a higher epoch; nothing crosses over:
//
//	idle --wanted--> connecting --logged in--> up --connection ended--> pausing
//	                  ^   |                    | ^                         |
//	                  |   every host refused   | alarm over                |
//	                  |   v             alarm  v |                         |
//	                  +-- pausing <------+   blocked: publishing waits     |
//	                  +----------------------------------------------------+
//	any --Run's context ended, work in flight finished--> stopped
//
// # The hard parts
//
// A delivery tag means something on its own channel only. After a reconnect, tag 1 is
// another message, and to acknowledge it for a handler that started before would
// lose that one. A delivery therefore holds the channel it came over, subscription
// .acknowledge is the only place that acknowledges, and the library refuses a channel
// that has ended. (The library's own recovery keeps channels across connections, which
// is exactly how this goes wrong; it is not used.)
//
// The library writes to the socket under the lock that it needs to tear a dead
// connection down. See wire for how a peer that stops reading is kept from stopping
// everything.
//
// A message whose headers the library cannot read ends the connection each time it is
// delivered, and every end counts against the delivery limit of all that was
// unacknowledged. See Consumer.once for how the others are spared.
package rabbit
