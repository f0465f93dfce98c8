// Package rest is the client side of REST between services.
//
// A Client is one http.RoundTripper chain for one target. From the outside in:
//
//	deadline   the caller's, or Config.Timeout if that is nearer; sent on in a header
//	retry      failsafe-go; full jitter, Retry-After, and a budget of extra attempts
//	bulkhead   failsafe-go; a bound on attempts in flight, with a bounded wait
//	breaker    failsafe-go; open after too large a share of failures in a window
//	hedge      failsafe-go; a second GET when the first is slow, from the same budget
//	attempt    a timeout, a client span, traceparent, a pool of connections with an age
//
// Only idempotent requests are sent more than once: GET, HEAD, PUT, DELETE, OPTIONS,
// and any request with an Idempotency-Key header. A target that is down therefore
// sees at most 1 + Config.RetryShare requests a call (and the burst), with the
// breaker on or off: retries cannot multiply an outage.
//
//	        too large a share of failures           pause over
//	closed ------------------------------> open ------------------> half-open
//	  ^                                      ^       a probe failed     |
//	  |                                      +--------------------------+
//	  +------------ every probe succeeded ------------------------------+
//
// The hard part is what nobody reads. An answer that is tried again is read into
// memory, bounded, within its attempt, so that its connection is free at once; an
// answer that loses against another is closed, also when it comes after the call
// has ended; and the bodies of requests are rewound or copied for each attempt.
//
// Errors have kinds (package fault): a call without an answer is Unavailable, and
// Check reads the kind of an answer. Call adds a typed fallback.
package rest
