// Package world is what lies outside the platform: a payment provider and a carrier,
// simulated with durable state of their own.
//
// It promises what a caller of real ones relies on, and what an audit needs from a
// witness:
//   - an answer is given only after its effect is on disk (fsync), so that SIGKILL at
//     any moment leaves nothing answered that is not there;
//   - the first definite answer to an idempotency key is the answer for ever;
//   - one key has at most one effect, however many requests with it run at once;
//   - work that was accepted but not yet done (tok_late) is done after a restart too;
//   - the statements list every movement of money and every parcel, without gaps.
//
// The hard part is the order of things in one request. All changes go through one
// writer, which takes whatever waits and commits it in one transaction; what a
// request makes of its key is decided inside that transaction:
//
//	unknown key --ok, slow--> answered          slow: the answer leaves after the delay
//	            --declined--> answered (402)
//	            --flaky-----> counted (503), twice; then answered
//	            --late------> due --delay--> answered
//	answered    ------------> replayed
//	due         ------------> waits for the work, then replayed
//	other parameters -------> 422, nothing kept
//
// A payment's states:
//
//	authorized --capture--> captured --refund--> refunded
//	authorized --void--> voided
package world
