//go:build !linux

package postgres

import "syscall"

// limitUnacknowledged does nothing: only Linux has TCP_USER_TIMEOUT. Elsewhere the
// system's own retransmission limit applies.
func limitUnacknowledged(_, _ string, _ syscall.RawConn) error { return nil }
