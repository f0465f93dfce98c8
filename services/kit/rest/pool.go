package rest

import (
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// pool is a pool of connections that is replaced when it has grown old. A
// connection stays with the pod that it was opened to: without an end of its own,
// a busy one would never see that the name behind it has moved, and new pods
// would get no traffic. net/http has no age limit for connections.
//
// The old pool finishes what is in flight; http.Transport closes a connection
// that comes back to a pool whose idle ones were closed.
type pool struct {
	cfg     Config
	current atomic.Pointer[generation]
}

type generation struct {
	transport *http.Transport
	until     time.Time
}

func newPool(cfg Config) *pool {
	p := &pool{cfg: cfg}
	p.current.Store(p.generation(time.Now()))
	return p
}

// RoundTrip implements http.RoundTripper.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	return p.fresh().RoundTrip(req) // a transport's errors are the transport's
}

func (p *pool) fresh() *http.Transport {
	old := p.current.Load()
	if p.cfg.ConnectionAge == 0 || time.Now().Before(old.until) {
		return old.transport
	}
	next := p.generation(time.Now())
	if !p.current.CompareAndSwap(old, next) {
		return p.current.Load().transport
	}
	old.transport.CloseIdleConnections()
	return next.transport
}

// generation returns an empty pool. Its age has a fifth of jitter, so that the
// replicas of a service do not open all their connections at the same moment.
func (p *pool) generation(now time.Time) *generation {
	age := p.cfg.ConnectionAge
	dialer := &net.Dialer{Timeout: p.cfg.ConnectTimeout, KeepAlive: 15 * time.Second}
	return &generation{
		until: now.Add(age - rand.N(age/5+1)), // jitter is no secret
		transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    p.cfg.AttemptTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           int(p.cfg.MaxInFlight),
			MaxIdleConnsPerHost:    int(p.cfg.MaxInFlight),
			IdleConnTimeout:        p.cfg.IdleTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			// Between services compression costs more than it saves, and a small answer
			// could become a large one.
			DisableCompression: true,
		},
	}
}

// CloseIdleConnections closes the connections that no call uses.
func (p *pool) CloseIdleConnections() { p.current.Load().transport.CloseIdleConnections() }
