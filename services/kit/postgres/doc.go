// Package postgres gives a service its database: a lazy pool, transactions whose
// errors have kinds, and migrations that wait for the server.
//
// What it promises:
//
//   - A process starts without its database. Open connects to nothing; the
//     Migrator says what it waits for (host and database, never a password), tries
//     again with backoff, and Ready fails until it is done.
//   - Any number of replicas may start at once: one migrates, under an advisory
//     lock that lives and dies with the very connection that migrates.
//   - A service refuses a schema that is newer than it can live with. Migrations
//     expand first and contract later, so by default a service accepts one version
//     ahead of its own: see Migrations.Tolerates.
//   - Errors have kinds, in one place: Map. What can succeed when tried again
//     (serialization failures, deadlocks, lost or refused connections, timeouts) is
//     Unavailable; a row that is not there is NotFound; the rest is Internal.
//   - Sessions end: statements and idle transactions have timeouts, and both ends
//     notice a peer that is gone within 15 seconds, so that its locks are free.
//
// The hard part is the commit whose answer is lost: it is Unavailable, and it may
// have happened. Whoever tries again must find that out by an idempotency key or
// an inbox row written in the same transaction.
//
//	Open --> waiting --server answers--> locking --> migrating --> ready
//	            ^---- Unavailable ----------'------------'
//	         newer schema, or a migration that fails: Run returns the error
package postgres
