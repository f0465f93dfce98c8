// Package messagetest is the conformance suite of message adapters: what a service
// may rely on whichever broker carries its messages.
//
// An adapter's test builds a Harness over a real broker and calls Run. Each part
// of the suite gets a place of its own (a topic, or a queue with its exchange) and
// runs in parallel with the others.
package messagetest
