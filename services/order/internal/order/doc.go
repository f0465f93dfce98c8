// Package order is the domain of the order service.
//
// An order is what a customer asked for and how far the others have come with
// it: inventory with its stock, payment with its money, shipping with its parcel.
// It is taken in at once and durably, and led to an end afterwards. The rules:
//
//   - An order is placed once per customer and Idempotency-Key. Whoever comes
//     second, at the same moment or days later, is answered with the first one.
//   - Its price is that of the stock check. Without a price there is no order.
//   - What it does with each input is decided by package machine, under the lock of
//     its row; this package adds who asks, when, and what must be written with it.
//   - Every change of state is one Entry of its timeline, one event to the world and
//     one version, all in one transaction.
//   - Time only asks: an order that is not terminal by its deadline is cancelled, or
//     asked to be, as a customer would; a leg that does not close is asked again,
//     under new message ids, at growing intervals and for ever.
//
// The package is pure: time, ids and everything remote are given to it.
package order
