package servertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Proxy is a TCP proxy that can misbehave. Its methods fail the test when they
// cannot do what they say; call them from one goroutine at a time.
type Proxy struct {
	// Addr is where it listens, the same through Cut and Restore.
	Addr string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewProxy returns a running proxy in front of upstream, host:port. It stops when
// the test ends.
func NewProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, tb.Name(), "127.0.0.1:0", upstream)
	if err := proxy.Start(); err != nil {
		tb.Fatalf("start the proxy to %s: %v", upstream, err)
	}
	tb.Cleanup(proxy.Stop)
	return &Proxy{Addr: proxy.Listen, t: tb, proxy: proxy}
}

// DatabaseThrough returns the URL of a database behind a proxy of its own.
func DatabaseThrough(tb testing.TB, database string) (string, *Proxy) {
	tb.Helper()
	u, err := url.Parse(database)
	if err != nil {
		tb.Fatalf("parse the database's URL: %v", err)
	}
	p := NewProxy(tb, u.Host)
	u.Host = p.Addr
	return u.String(), p
}

// Cut closes every connection and refuses new ones until Restore.
func (p *Proxy) Cut() { p.proxy.Stop() }

// Restore undoes Cut.
func (p *Proxy) Restore() {
	p.t.Helper()
	if err := p.proxy.Start(); err != nil {
		p.t.Fatalf("start the proxy again: %v", err)
	}
}

// Freeze keeps connections open and lets nothing through, in neither direction: a
// half-open socket. What is sent meanwhile is lost.
func (p *Proxy) Freeze() {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.add(`{"name":"frozen-%[1]s","type":"timeout","stream":"%[1]s","attributes":{"timeout":0}}`, stream)
	}
}

// Slow delays every answer by milliseconds.
func (p *Proxy) Slow(milliseconds int) {
	p.t.Helper()
	p.add(`{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, milliseconds)
}

// Thaw undoes Freeze and Slow. Connections that were frozen are closed by it.
func (p *Proxy) Thaw() { p.proxy.Toxics.ResetToxics(p.t.Context()) }

func (p *Proxy) add(format string, args ...any) {
	p.t.Helper()
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(format, args...))); err != nil {
		p.t.Fatalf("add a toxic: %v", err)
	}
}
