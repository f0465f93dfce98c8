package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/web"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/order"
	"parley.sh/services/order/internal/rest"
	"parley.sh/services/order/internal/store/storetest"
	"parley.sh/services/order/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are what a test's server differs by.
type settings struct {
	tick, heartbeat, maxWait time.Duration
	streams                  int
	reader                   func(order.Reader) order.Reader
}

// world is the service over a store in memory, served over HTTP.
type world struct {
	t       *testing.T
	url     string
	store   *storetest.Memory
	hints   *order.Hints
	service *order.Service
	open    atomic.Int64
	stop    func()
}

// catalogue sells everything whose name does not begin with "no", 50 pieces each.
type catalogue struct{}

func (catalogue) Level(_ context.Context, id string) (order.Level, error) {
	if strings.HasPrefix(id, "no") {
		return order.Level{}, fault.New(fault.NotFound, "")
	}
	return order.Level{Stock: 50, Price: order.Money{AmountMinor: 1250, Currency: "EUR"}}, nil
}

type noMeter struct{}

func (noMeter) Checked(order.Checked)           {}
func (noMeter) AskedAgain(machine.Work)         {}
func (noMeter) Alerted(context.Context, string) {}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	w := &world{t: t, store: &storetest.Memory{}, hints: &order.Hints{}}
	now := func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	w.service = order.NewService(order.Settings{
		Store: w.store, Meter: noMeter{}, Now: now, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		Timing:       order.Timing{Deadline: time.Hour, AskAfter: time.Hour, AskCap: time.Hour},
		Availability: &order.Availability{Live: catalogue{}, Fallback: order.Refuse, Parallel: 4, Used: func(order.Checked) {}},
		Trace:        func(context.Context) string { return "" },
	})
	var reader order.Reader = w.store
	if s.reader != nil {
		reader = s.reader(reader)
	}
	handler := rest.NewHandler(rest.Options{
		Orders: w.service, Reader: reader, Hints: w.hints, Open: func(d int) { w.open.Add(int64(d)) },
		Tick: or(s.tick, time.Hour), Heartbeat: or(s.heartbeat, time.Hour), MaxWait: or(s.maxWait, 5*time.Second),
	})
	w.serve(handler, or(s.streams, 10))
	return w
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (w *world) serve(handler *rest.Handler, streams int) {
	w.t.Helper()
	data, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := web.New(web.Config{
		Addr: "127.0.0.1:0", MaxBodyBytes: 1 << 20, MaxHeaderBytes: 16384, ReadTimeout: 5 * time.Second,
		RequestTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxInFlight: 100, MaxStreams: streams,
	}, web.Options{Service: "order", Spec: spec, Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
	if err != nil {
		w.t.Fatal(err)
	}
	rest.Register(server.Engine, handler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	<-server.Listening()
	w.url = "http://" + server.Addr().String()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		}
	}
	w.t.Cleanup(func() { w.stop(); http.DefaultClient.CloseIdleConnections() })
}

// call is one request.
type call struct {
	method, path, body string
	header             map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) do(c call) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), or(c.method, http.MethodGet), w.url+c.path, strings.NewReader(c.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

const goodBody = `{"customerId":"ada","items":[{"productId":"123","quantity":2}],"payment":{"token":"tok_secret"},` +
	`"shipping":{"level":"express","address":"1 High Street"}}`

func (w *world) post(key, body string) answer {
	w.t.Helper()
	return w.do(call{method: http.MethodPost, path: "/api/orders", body: body, header: map[string]string{"Idempotency-Key": key}})
}

func (w *world) place(key string) client.Order {
	w.t.Helper()
	a := w.post(key, goodBody)
	if a.status != http.StatusAccepted {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return decode[client.Order](w.t, a)
}

// tell brings facts about an order, with a hint after each.
func (w *world) tell(id uuid.UUID, facts ...any) {
	w.t.Helper()
	for _, fact := range facts {
		f := order.Fact{OrderID: id.String(), Receipt: order.Receipt{ID: uuid.NewString(), Time: time.Now()}}
		switch leg := fact.(type) {
		case machine.Stock:
			f.Decide = func(o machine.Order) (machine.Decision, error) { return machine.OnStock(o, leg) }
		case machine.Money:
			f.Decide = func(o machine.Order) (machine.Decision, error) { return machine.OnMoney(o, leg) }
		case string:
			f.Decide, f.TrackingNumber = machine.OnDispatched, leg
		}
		if err := w.service.React(w.t.Context(), f); err != nil {
			w.t.Error(err)
		}
		w.hints.Notify(id.String())
	}
}

// confirmed are the facts that confirm an order, and settling those that come after.
var (
	confirmed = []any{machine.StockReserved, machine.MoneyAuthorized}
	settling  = []any{machine.StockPicked, machine.MoneyCaptured, "trk-1"}
)

// stream reads an event stream.
type stream struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

func (w *world) stream(path, lastEventID string) *stream {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	return &stream{t: w.t, resp: resp, lines: bufio.NewScanner(resp.Body)}
}

// next returns the next event, or false at the end of the stream.
func (s *stream) next() (id string, c client.OrderChange, ok bool) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &c); err != nil {
				s.t.Fatal(err)
			}
			return id, c, true
		}
	}
	return "", c, false
}

// want reads events and compares them with "id change".
func (s *stream) want(events ...string) {
	s.t.Helper()
	for _, want := range events {
		id, c, ok := s.next()
		if got := id + " " + string(c.Change); !ok || got != want {
			s.t.Fatalf("got %q (%v), want %q", got, ok, want)
		}
	}
}

func (s *stream) ended() {
	s.t.Helper()
	if id, c, ok := s.next(); ok {
		s.t.Fatalf("got %s %s, want the end of the stream", id, c.Change)
	}
}

// place returns the n-th order of a customer and its key.
func place(n int) (order.Change, order.Key) {
	return storetest.Place("customer-" + strconv.Itoa(n))
}
