// Package plan compares what brokers should hold with what they hold and says,
// step by step, what would make them equal. It is pure: no network, no clock, no
// Kubernetes; the same two worlds give the same plan.
//
//	manifests --(spec)--> Desired --+
//	                                +--> Diff --> Plan --(broker)--> changed broker
//	brokers --(broker)--> Observed -+
//
// What it promises, and its property tests hold it to:
//
//   - A plan that was carried out leaves nothing to plan.
//   - Stopping after any step and planning again ends in the same place.
//   - Nothing is deleted that holds data, unless the manifest's policies say so,
//     and never a topic, nor anything that the manifests neither name nor generate.
//
// The hard part is the order. Steps come so that nothing is lost in between:
// exchanges, then the queues that a queue needs behind it (rungs and dead-letter
// queue) with their bindings, then the policy, then the queue itself, so that it
// is born with its settings, then its bindings; bindings are added before others
// are removed, and deletions come last. Each step names those it needs (After):
// when one fails or is held back, so are the steps that need it.
//
// Every step carries its Risk. Blocked is a step that cannot or must not be done;
// it says why and what to do instead.
package plan
