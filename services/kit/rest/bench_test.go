package rest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley.sh/services/kit/rest"
)

// BenchmarkOverPlain runs the same GET on loopback through plain net/http and
// through the whole chain, in turns so that both see the same machine, and reports
// the throughput of the chain over that of net/http: the median of the turns. Plain
// is Go's default transport with a timeout and as large a pool. cpu-ratio is the same
// in CPU time, client and server together: it holds on a busy machine too.
func BenchmarkOverPlain(b *testing.B) {
	const body = `{"productId":"123","available":true,"stock":50}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	b.Cleanup(s.Close)
	cfg := rest.DefaultConfig(s.URL)
	chain := rest.New(cfg, rest.Options{Name: "bench", Registerer: prometheus.NewRegistry()})
	b.Cleanup(chain.Close)
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		b.Fatal("the default transport is another one")
	}
	pool := standard.Clone()
	pool.MaxIdleConnsPerHost = int(cfg.MaxInFlight)
	b.Cleanup(pool.CloseIdleConnections)
	plain := &http.Client{Transport: pool, Timeout: cfg.Timeout}

	const turn = 500
	clients := [2]func(*http.Request) (*http.Response, error){plain.Do, chain.Do}
	for i := range 2 * turn { // connections, caches
		one(b, s.URL, clients[i%2])
	}
	b.ResetTimer()
	var took, spent [2]time.Duration
	var ratios []float64
	for n := 0; n < b.N; n += turn {
		var now [2]time.Duration
		for i, do := range clients {
			cpu, start := cpuTime(b), time.Now()
			inParallel(b, turn, func() { one(b, s.URL, do) })
			now[i] = time.Since(start)
			took[i] += now[i]
			spent[i] += cpuTime(b) - cpu
		}
		ratios = append(ratios, now[0].Seconds()/now[1].Seconds())
	}
	slices.Sort(ratios)
	calls := float64(len(ratios) * turn)
	b.ReportMetric(calls/took[0].Seconds(), "plain-calls/s")
	b.ReportMetric(calls/took[1].Seconds(), "rest-calls/s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "cpu-ratio")
	b.ReportMetric(0, "ns/op") // of both together: says nothing
}

// cpuTime is what the process has used, client and server. It does not change with
// what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func one(b *testing.B, url string, do func(*http.Request) (*http.Response, error)) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/check?productId=123", nil)
	if err != nil {
		b.Error(err)
		return
	}
	if status := discard(do(req)); status != http.StatusOK {
		b.Errorf("got %d", status)
	}
}

// inParallel runs n calls on as many workers as a busy service would have.
func inParallel(b *testing.B, n int, call func()) {
	b.Helper()
	const workers = 16
	done := make(chan struct{})
	for w := range workers {
		go func() {
			for range n/workers + min(1, max(0, n%workers-w)) {
				call()
			}
			done <- struct{}{}
		}()
	}
	for range workers {
		<-done
	}
}

// BenchmarkChain is what the chain itself costs: the target answers at once, in memory.
func BenchmarkChain(b *testing.B) {
	chain := rest.New(rest.DefaultConfig("http://target"), rest.Options{
		Name: "bench", Registerer: prometheus.NewRegistry(),
		Transport: transport(func(*http.Request) (*http.Response, error) { return reply(http.StatusOK, "{}"), nil }),
	})
	b.ReportAllocs()
	for b.Loop() {
		one(b, chain.URL(), chain.Do)
	}
}

// BenchmarkNoChain is net/http's client alone over the same target.
func BenchmarkNoChain(b *testing.B) {
	plain := &http.Client{
		Timeout:   time.Second,
		Transport: transport(func(*http.Request) (*http.Response, error) { return reply(http.StatusOK, "{}"), nil }),
	}
	b.ReportAllocs()
	for b.Loop() {
		one(b, "http://target", plain.Do)
	}
}
