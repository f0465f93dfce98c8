// Package rabbit is the hand in a RabbitMQ: it observes and changes vhosts over
// the management HTTP API, and asks over AMQP whether a queue is empty.
//
// It observes a vhost in four requests whatever it holds: its policies, exchanges,
// queues (with the policy that applies to each) and bindings, without statistics.
// The definitions of a vhost are one request, but only for administrators; the
// lists are for every policymaker. The counts of the management API lag by seconds
// and decide nothing; a queue is empty when a passive declare, just before it is deleted, says 0 messages and 0 consumers.
// (Between the two a message can still come in: RabbitMQ refuses "if-empty" for
// quorum queues, so nothing better exists.)
//
// The server is 4.0 or newer.
package rabbit
