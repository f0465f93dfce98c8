// Package kafka is the adapter between package message and Kafka, on IBM/sarama,
// whose types do not show.
//
// A Publisher returns when all in-sync replicas have a message, and says of each
// that failed whether it is refused for good (fault.Invalid) or worth trying
// again (fault.Unavailable). A Consumer hands messages to a handler, those of one
// key in order and those of different keys side by side, at least once each. Both
// start without a server and live through whatever happens to the brokers.
//
// # The life of a message
//
// Inside a partition each key has a lane, and lanes with something to do take
// turns on a bounded pool of workers. A message without a key has a lane of its
// own, so it is ordered after nothing.
//
//	read --> waiting in its lane --> handled --nil or Conflict--> finished
//	              ^                     |--Unavailable----------> paused, counts nothing
//	              |                     |--Internal, NotFound---> paused, counted; with
//	              +--- after the pause -+                         GiveUp set aside at last
//	                                    |--Invalid--------------> set aside at once
//	set aside --confirmed by <topic>.<group>.dlq--> finished
//	set aside --not confirmed--> paused, then sent again
//
// A paused message holds back its key and takes no worker. Without GiveUp it is
// tried for ever; from MaxAttempts on it counts as kafka_consumer_stuck_messages
// and is logged as an error.
//
// # What is committed
//
// The offset of a partition's oldest unfinished message, never more: what was
// finished beyond it comes again after a crash. Offsets need not be without gaps,
// so the tracker counts messages and not offsets, and a partition that ends with
// offsets that bring none (transaction markers, aborted records) is looked into.
//
//	assigned --> consuming --revoked, or the session ends--> draining --> committed --> let go
//	                 |                                          |
//	                 +-- over a bound: reading paused           +-- nothing begins; what is being handled has
//	                     until half of it is done                   3/4 of RebalanceTimeout, then its context ends
//
// A commit carries member and generation, so that the group refuses it once the
// partition is another's. A partition whose committed offset the broker no longer
// has stays unread under kafka_consumer_offset_out_of_range, and the others go on.
//
// # Memory
//
// The unfinished messages of a partition are bounded by number and bytes, those
// of a consumer by dividing its bounds evenly over its partitions. The bounds hold
// to within what two fetches bring: 64 KiB as compressed, or one batch.
//
// # The hard part
//
// sarama holds a broker's lock for a whole round trip and takes the group's
// coordinator for the same broker as the partition's leader. Over one client a
// commit waits for a long poll (997 ms were measured), and a JoinGroup stops the
// reading of partitions that the rebalance leaves alone. So a consumer has three
// clients: one reads, one belongs to the group, one commits and asks for offsets.
package kafka
