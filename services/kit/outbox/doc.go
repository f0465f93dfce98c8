// Package outbox sends messages if and only if the transaction that they announce
// commits.
package outbox
