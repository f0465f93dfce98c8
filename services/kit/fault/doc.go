// Package fault gives every error one Kind, and every Kind its consequences.
//
// An error is classified once, where it is understood best (the postgres and
// rest packages map their libraries' errors, a domain states its own), and each
// edge of a process reads the Kind from one table:
//
//	Kind         REST  consumer                                  reconciler
//	Invalid      400   dead-letter at once                       Stalled
//	NotFound     404   retry, count attempts                     backoff
//	Conflict     409   acknowledge: the fact is already so       quiet requeue
//	Unavailable  503   hold and back off, count nothing          backoff
//	Internal     500   retry, count attempts                     backoff
//
// Conflict is a business fact only ("already shipped"). A lost optimistic lock,
// a serialization failure or a deadline is Unavailable: trying again can help.
package fault
