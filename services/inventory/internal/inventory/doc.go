// Package inventory is the domain of the inventory service: what is on the
// shelves, what is reserved for orders, and what can be ordered.
//
// The rules:
//   - A product has a count on hand and a count reserved; stock, what can be
//     ordered, is the difference. Neither is ever negative.
//   - Every change of a count is a movement, and the counts are the sums of the
//     movements.
//   - An order's items are reserved all or none; its row is locked first, then its
//     products in the order of their ids, so that two orders cannot deadlock.
//   - What an order may do next is decided by package machine.
package inventory
