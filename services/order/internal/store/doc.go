// Package store keeps the orders in PostgreSQL.
//
// A transaction about an order locks its row first, then enters the message that
// caused it into the inbox, then decides, and then writes the row, the timeline
// and the outbox: all or nothing. Row first, so that two facts about one order take
// their turns and each decides on what the other wrote.
//
// The hard part is reading the changes of all orders as a stream. A sequence
// number is given out before its row is committed, so a reader that remembers the
// last number it saw skips rows that commit late. Rows of the timeline therefore
// carry the id of their transaction, and readers stop below the oldest transaction
// that is still running (xmin of their snapshot): whatever is not visible yet has a
// position behind everything that was read. The price is that a long transaction,
// anywhere in the server, delays the stream; it never loses a row.
package store
