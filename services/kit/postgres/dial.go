package postgres

import (
	"net"
	"time"
)

// keepAlive finds a peer that went away while the connection was idle:
// 5 s + 3 x 3 s = 14 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}

// userTimeout finds a peer that went away with data on the way to it, which
// keepalives do not look at: see tcp(7), TCP_USER_TIMEOUT.
const userTimeout = 14 * time.Second

func dialer() *net.Dialer {
	return &net.Dialer{KeepAliveConfig: keepAlive, Control: limitUnacknowledged}
}
