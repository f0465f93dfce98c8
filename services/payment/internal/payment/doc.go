// Package payment is the domain of the payment service: what is held, taken and
// given back for each order, and the ledger of it.
//
// The rules:
//   - What payment does next about an order is decided by package machine, under
//     the lock of the order's row.
//   - A call to the provider is an intent. There is one per order and kind for ever
//     and its id is derived from both. It is committed before the call, and its
//     answer is recorded in a second transaction that reads the row again.
//   - An unknown outcome is asked for by the same call under the same id.
//   - A message that finds another's intent open finishes it first. It never waits.
//   - Every movement of money is two lines in the ledger that sum to zero.
//   - The amount captured is the amount authorized, from the service's own row.
package payment
