// Package broker carries out plans. A [Session] is the hand in one broker; the
// packages kafka and rabbit are its two kinds, address says where brokers are.
//
// Apply observes, plans, carries out what the risk allows, step by step, and then
// observes again until the broker shows what was asked: a broker's yes is not
// believed. Steps that do not need one another go together, so that a session can
// batch them. When a step fails, those that need it are left out and all others
// go on; applying again takes up where it stopped.
//
//	observe -> Diff -> check -> wave of steps -> ... -> observe until equal
//	                              ^        |
//	                              +--------+ while steps are ready
package broker
