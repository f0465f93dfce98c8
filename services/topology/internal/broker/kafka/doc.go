// Package kafka is the hand in a Kafka cluster: it observes topics and changes
// them in batches.
//
// Requests hold many topics each. They are packed by weight, not by count: a
// controller refuses a request that makes more than 10,000 partitions or records,
// and with it every topic inside, also those that are fine alone. So a request that
// is refused as a whole is cut in two and sent again, until what is refused stands
// alone. Nothing waits for the broker's metadata here: who applies a plan observes
// until it shows.
//
// The calls of sarama take no context: a call ends with its own timeout (10 s to
// connect, 40 s to answer), and the context is looked at between calls.
package kafka
