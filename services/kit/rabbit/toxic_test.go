package rabbit

import (
	"net/url"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/servertest"
)

// newToxic starts a proxy before the server under test, and returns settings for it.
func newToxic(tb testing.TB) (*toxiproxy.Proxy, Config) {
	tb.Helper()
	u, err := url.Parse(servertest.AMQP(tb))
	must(tb, err)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, servertest.Name(tb), "127.0.0.1:0", u.Host)
	must(tb, proxy.Start())
	tb.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	cfg := settings(tb)
	cfg.URL = config.Secret(u.String())
	return proxy, cfg
}

func addToxic(tb testing.TB, proxy *toxiproxy.Proxy, toxic string) {
	tb.Helper()
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	must(tb, err)
}
