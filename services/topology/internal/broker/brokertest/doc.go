// Package brokertest is a broker in memory, of either kind, for tests of what
// stands above the adapters. It keeps the rules of the real ones that plans
// depend on: what must be there before, what goes with what is deleted, which
// policy applies, and that what cannot be changed is not.
package brokertest
