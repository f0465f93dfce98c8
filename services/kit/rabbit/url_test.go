package rabbit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url  string
		want target
	}{
		"plain":         {"amqp://guest:guest@127.0.0.1:5672/", target{false, "guest", "guest", "/", []string{"127.0.0.1:5672"}}},
		"no vhost":      {"amqp://u@rabbit", target{false, "u", "", "/", []string{"rabbit:5672"}}},
		"vhost":         {"amqp://u@rabbit/orders", target{false, "u", "", "orders", []string{"rabbit:5672"}}},
		"slash vhost":   {"amqp://u@rabbit/%2F", target{false, "u", "", "/", []string{"rabbit:5672"}}},
		"tls":           {"amqps://u@rabbit", target{true, "u", "", "/", []string{"rabbit:5671"}}},
		"nobody":        {"amqp://rabbit", target{false, "guest", "", "/", []string{"rabbit:5672"}}},
		"several hosts": {"amqps://u@a,b:1,[::1]:2/v", target{true, "u", "", "v", []string{"a:5671", "b:1", "[::1]:2"}}},
		"escapes":       {"amqp://u%40x:p%2F%3A@h", target{false, "u@x", "p/:", "/", []string{"h:5672"}}},
		"at in name":    {"amqp://u@x:p@h", target{false, "u@x", "p", "/", []string{"h:5672"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseURL(tc.url)
			must(t, err)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(target{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "rabbit:5672", "http://rabbit", "amqp://", "amqp://u@/", "amqp://a,,b", "amqp://a:b", "amqp://a:99999",
		"amqp://a/v?heartbeat=5", "amqp://a?x=1", "amqp://a/%zz", "amqp://a b",
	} {
		if got, err := parseURL(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, name := range []string{"AMQP_URL", "AMQP_PASSWORD", "AMQP_CA_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AMQP_URL", string(Defaults().URL))
	var got Config
	must(t, config.Load(&got))
	if diff := cmp.Diff(Defaults(), got); diff != "" {
		t.Errorf("Defaults and the tags differ (-defaults +tags):\n%s", diff)
	}
	spoil := map[string]func(c *Config){
		"url":       func(c *Config) { c.URL = "x" },
		"dial":      func(c *Config) { c.DialTimeout = 0 },
		"heartbeat": func(c *Config) { c.Heartbeat = 1 },
		"reconnect": func(c *Config) { c.ReconnectMax = 0 },
		"channels":  func(c *Config) { c.Channels = 0 },
		"window":    func(c *Config) { c.Window = 1 << 20 },
		"prefetch":  func(c *Config) { c.Prefetch = -1 },
		"hold":      func(c *Config) { c.HoldMax = 0 },
	}
	for name, change := range spoil {
		c := Defaults()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("bad %s was accepted", name)
		}
	}
}

func TestBadConfigurationIsTheErrorOfRun(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.URL = "nonsense"
	p := NewPublisher(cfg, Options{})
	if err := p.Run(t.Context()); err == nil {
		t.Error("a publisher ran with a bad URL")
	}
	if p.Err() == nil {
		t.Error("the state of a publisher with a bad URL is good")
	}
	c := NewConsumer(cfg, ConsumerConfig{Queue: "q"}, nil, Options{})
	if err := c.Run(t.Context()); err == nil {
		t.Error("a consumer ran with a bad URL")
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("amqp://guest:guest@127.0.0.1:5672/")
	f.Add("amqps://u%40:p@a,b:1,[::1]:2/v%2F")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := parseURL(raw)
		if err == nil && (len(got.hosts) == 0 || got.user == "" || got.vhost == "") {
			t.Errorf("%q was read as %+v", raw, got)
		}
	})
}
