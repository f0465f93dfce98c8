// Package model holds the model test of the order protocol: it drives the real
// state machines of the four services, in memory, through the interleavings,
// duplications, losses, crashes and delays of one order's messages.
//
// A World is everything that is durable about one order: the rows of the four
// services, what lies on the brokers, what the payment provider and the carrier
// really did, and the handlers that are between two of their durable steps. A move
// is one durable step: a transaction, a call, a crash. explore walks every move of
// every world it reaches, with a bounded number of faults; walk goes on at random
// with more faults, and prints its seed.
//
// At every quiet end the order must be settled, its timeline one of the five legal
// ones, and money and stock conserved by the books of the provider, the carrier and
// the shelf. Mutants, one for each misreading that the protocol lists, must be
// caught.
package model
