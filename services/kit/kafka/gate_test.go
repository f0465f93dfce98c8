package kafka

import (
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// gate stands before a fake cluster and makes its network fail.
type gate struct {
	mu     sync.Mutex
	closed bool
	conns  map[*gatedConn]struct{}
}

// gatedCluster is a fake cluster behind a gate.
func gatedCluster(tb testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *gate) {
	tb.Helper()
	g := &gate{conns: map[*gatedConn]struct{}{}}
	listen := func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address) //nolint:noctx // kfake's own signature
		return &gatedListener{Listener: l, gate: g}, err
	}
	cluster := fakeCluster(tb, append(opts, kfake.ListenFn(listen))...)
	tb.Cleanup(g.thaw)
	return cluster, g
}

// cut ends every connection and refuses new ones until restore.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for c := range g.conns {
		_ = c.Conn.Close()
	}
}

func (g *gate) restore() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// freeze makes every connection of now half-open: bytes go in, none come out and
// nothing says so. New connections work.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.freeze()
	}
}

// thaw lets the server's ends of frozen connections go, so that it can be closed.
func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.once.Do(func() { close(c.gone) })
	}
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.gate.isClosed() {
			_ = conn.Close()
			continue
		}
		c := &gatedConn{Conn: conn, gate: l.gate, frozen: make(chan struct{}), gone: make(chan struct{})}
		l.gate.mu.Lock()
		l.gate.conns[c] = struct{}{}
		l.gate.mu.Unlock()
		return c, nil
	}
}

// gatedConn is the server's end of a connection.
type gatedConn struct {
	net.Conn
	gate   *gate
	frozen chan struct{}
	gone   chan struct{}
	once   sync.Once
}

func (c *gatedConn) freeze() {
	select {
	case <-c.frozen:
	default:
		close(c.frozen)
	}
}

func (c *gatedConn) isFrozen() bool {
	select {
	case <-c.frozen:
		return true
	default:
		return false
	}
}

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isFrozen() {
		<-c.gone
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if c.isFrozen() {
		<-c.gone
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *gatedConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
