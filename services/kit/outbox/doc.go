// Package outbox sends messages if and only if the transaction that they announce
// commits.
//
//	err := db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
//		... // the change
//		return outbox.Add(ctx, tx, placed)
//	})
//	relay.Wake()
//
// Add writes a row, and Queue does so in a batch of the caller's; a Relay in every
// replica publishes rows and deletes what their broker confirmed.
//
// What it promises:
//
//   - At least once: a row goes only after its confirmation. A crash between the two
//     doubles a message and never loses one.
//   - Order per destination and key: of such a unit at most one row is unconfirmed,
//     so a later one is sent only when all before it are confirmed. First
//     occurrences are in order even when two replicas relay one shard for a moment,
//     as each of them keeps this rule. A destination is a topic or an exchange.
//   - No row holds back another unit: destinations are tried, and fail, apart, and so
//     do keys. What fails waits outside of the memory, and only a share of it is
//     taken up by what failed before.
//   - A row that is refused for good is moved to outbox_refused, with an Error in the
//     log and a metric, and the next of its unit goes on. It takes an Invalid answer
//     to the row alone: a batch that is refused is halved until the row is alone.
//   - A replica that is cut off from the database stops within 6 seconds, and another
//     one has its shards within 20.
//
// A row belongs to one of 16 shards by its key. A shard is an advisory lock that one
// pinned session holds, which also says how many replicas there are:
//
//	          beat every second: who is here, what is free
//	session --------------------------------------------------> shards held, at most
//	   |  lost: the server closes it, a beat fails, or the       ceil(16 / replicas)
//	   |  server heard nothing for 14 s (idle_session_timeout)        |
//	   v                                                              v
//	everything in flight is cut off                   read -> publish -> delete
//	                                                  (no rows of a shard in memory:
//	                                                   it may be given away)
//
// The lock does not protect the order (see above) but keeps replicas from doing the
// same work twice. That is why a beat that is late only pauses the relay.
//
// Reads have no cursor. Ids are given before a commit, so a transaction may commit an
// id below one that was relayed already, and "id > last" would never find it. A
// read leaves out the rows that are in memory instead; a row that commits late is
// simply found. For the same reason Add sends no NOTIFY: transactions that notify
// commit one after the other. Wake tells the own relay, and over it those of other
// replicas, at most once in 20 ms, in a transaction apart.
//
// Deletes are committed without waiting for the disk: a crash of the server that
// forgets them sends some messages twice, which was promised anyway. Rows are
// never updated, so a table that is relayed stays small; vacuum is set to follow
// closely. A transaction that holds back vacuum for long makes reads slow, and the
// relay then reads less often: alert on the oldest transaction.
//
// What was refused needs a decision. To send it again, with a new place in the order
// of its key:
//
//	BEGIN;
//	INSERT INTO outbox (shard, broker, name, unit, routing_key, key, message_id, type,
//	                    source, subject, time, data_schema, headers, data)
//	SELECT shard, broker, name, unit, routing_key, key, message_id, type,
//	       source, subject, time, data_schema, headers, data
//	FROM outbox_refused WHERE id = $1;
//	DELETE FROM outbox_refused WHERE id = $1;
//	COMMIT;
//
// The relay needs a session: a pooler between it and PostgreSQL must not pool by
// transaction. It uses four connections beside the pool of the service.
package outbox
