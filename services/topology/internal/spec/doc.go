// Package spec says which objects of a broker a manifest stands for: the pure
// step from the API to the plan's Desired world.
//
// A Queue "orders" with a retry ladder of 1s and 5s stands for
//
//	exchange orders.retry        direct; a failed message goes here
//	queue    orders.retry.1s     behind key 1s; returns messages after a second
//	queue    orders.retry.5s     behind key 5s
//	queue    orders.dlq          behind key dlq; keeps what was given up
//	policy   orders.policy       the mutable settings; dead-letters to orders.retry, key dlq
//	queue    orders              and the bindings that its manifest lists
//
// Rungs and dead-letter queues have their settings as arguments, because a foreign
// policy must not reach them. A rung dead-letters at least once to the queue by the
// default exchange, so it loses nothing while the queue is missing. The main
// queue dead-letters through its own retry exchange: a client that may write
// there may write to no other queue.
package spec
