// Package shipping is the domain of the shipping service: one parcel an order, or
// none.
//
// The rules:
//   - What shipping does next about an order is decided by package machine, under
//     the lock of the order's row. It says exactly one thing about an order.
//   - The label is an intent: labelling is committed before the carrier is called,
//     under an id derived from the order, and the answer is recorded in a second
//     transaction that reads the row again.
//   - A cancellation wins only before labelling; from then on the carrier's outcome
//     is the answer. An unknown outcome is asked for by the same call.
//   - A row that waits for its label has its PrintLabel sent again.
package shipping
