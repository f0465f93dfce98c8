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
func newToxic(t testing.TB) (*toxiproxy.Proxy, Config) {
	t.Helper()
	u, err := url.Parse(servertest.AMQP(t))
	must(t, err)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, servertest.Name(t), "127.0.0.1:0", u.Host)
	must(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	cfg := settings(t)
	cfg.URL = config.Secret(u.String())
	return proxy, cfg
}

func addToxic(t testing.TB, proxy *toxiproxy.Proxy, toxic string) {
	t.Helper()
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	must(t, err)
}
