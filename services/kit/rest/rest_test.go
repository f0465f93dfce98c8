package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley.sh/services/kit/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport is a target that is a function: no sockets, so that time can be faked.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	return f(req)
}

// script answers the n-th request with the n-th step, and further ones with the last.
type script struct {
	steps []transport
	sent  atomic.Int32
}

func steps(all ...transport) *script { return &script{steps: all} }

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	n := int(s.sent.Add(1))
	return s.steps[min(n, len(s.steps))-1].RoundTrip(req)
}

func status(code int, header ...string) transport {
	return func(*http.Request) (*http.Response, error) { return reply(code, "body", header...), nil }
}

func reply(code int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// lost is a connection that breaks.
func lost(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

// hang answers only when the request ends, as a target does that is stuck.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// config is the default one; tests change what they are about.
func config(change ...func(*rest.Config)) rest.Config {
	cfg := rest.DefaultConfig("http://target")
	cfg.Timeout = 4 * time.Second // room for a Retry-After of seconds
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func breakerOff(c *rest.Config) { c.BreakerShare = 0 }

func plenty(c *rest.Config) { c.RetryBurst = 1000 }

// faked is a client of a fake target.
func faked(target http.RoundTripper, change ...func(*rest.Config)) (*rest.Client, *prometheus.Registry) {
	reg := prometheus.NewRegistry()
	return rest.New(config(change...), rest.Options{Name: "target", Registerer: reg, Transport: target}), reg
}

// served is a client of a real server on a socket.
func served(t *testing.T, h http.HandlerFunc, change ...func(*rest.Config)) *rest.Client {
	t.Helper()
	s := httptest.NewServer(h)
	cfg := config(change...)
	cfg.URL = s.URL
	c := rest.New(cfg, rest.Options{Name: "target"})
	t.Cleanup(func() { c.Close(); s.Close() })
	return c
}

// call is a request in the making.
type call struct {
	method string
	body   io.Reader
	header []string
}

func (k call) send(ctx context.Context, t *testing.T, c *rest.Client) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, k.method, c.URL()+"/x", k.body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(k.header); i += 2 {
		req.Header.Set(k.header[i], k.header[i+1])
	}
	return c.Do(req)
}

func get(ctx context.Context, t *testing.T, c *rest.Client) (*http.Response, error) {
	t.Helper()
	return call{method: http.MethodGet}.send(ctx, t, c)
}

// discard ends the use of an answer and returns its status; 0 is none.
func discard(resp *http.Response, err error) int {
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// failed makes a call that has no answer and returns its error.
func failed(ctx context.Context, t *testing.T, c *rest.Client) error {
	t.Helper()
	resp, err := get(ctx, t, c)
	_ = discard(resp, err)
	return err
}

// metric returns the value of the first series of that name with these labels.
func metric(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for i := 0; i+1 < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue series
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}
