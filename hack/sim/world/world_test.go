package world_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"go.uber.org/goleak"

	"parley.sh/hack/sim/client"
	"parley.sh/hack/sim/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// delay is SIM_SLOW in tests. Their time is faked.
const delay = 3 * time.Second

// lab is a running world. It is asked without sockets, so that time can be faked.
type lab struct {
	t       testing.TB
	path    string
	handler http.Handler
	stop    func()
	routes  routers.Router // nil holds answers against nothing
}

// open runs a world on a fresh file until the test ends.
func open(tb testing.TB) *lab {
	tb.Helper()
	routes, err := contract()
	if err != nil {
		tb.Fatal(err)
	}
	l := &lab{t: tb, path: filepath.Join(tb.TempDir(), "world.db"), routes: routes}
	l.start()
	tb.Cleanup(func() { l.stop() })
	return l
}

func (l *lab) start() {
	l.t.Helper()
	w, err := world.Open(world.Options{Path: l.path, Slow: delay, Log: slog.New(slog.NewTextHandler(l.t.Output(), nil))})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	l.handler = w.Handler()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			l.t.Errorf("run: %v", err)
		}
	})
}

func (l *lab) restart() {
	l.t.Helper()
	l.stop()
	l.start()
}

// said is an answer. Gone means that the connection was closed without one.
type said struct {
	status   int
	code     client.Code
	body     string
	replayed bool
	gone     bool
}

// post asks for one operation and holds the answer against the contract.
func (l *lab) post(ctx context.Context, path, key, body string) said {
	l.t.Helper()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	return l.do(r)
}

func (l *lab) request(method, path string, body io.Reader) *http.Request {
	return httptest.NewRequestWithContext(l.t.Context(), method, path, body)
}

func (l *lab) do(r *http.Request) (s said) {
	l.t.Helper()
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			s = said{gone: true}
		default:
			panic(v)
		}
	}()
	w := httptest.NewRecorder()
	l.handler.ServeHTTP(w, r)
	l.hold(r, w)
	s = said{status: w.Code, body: w.Body.String(), replayed: w.Header().Get("Idempotent-Replayed") == "true"}
	if w.Code >= http.StatusBadRequest {
		var p client.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Title == "" {
			l.t.Errorf("not a problem: %s", w.Body)
		}
		s.code = p.Code
	}
	return s
}

// contract reads openapi.yaml.
var contract = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromFile("../openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc.Servers = nil
	return legacy.NewRouter(doc) // validates the document
})

// hold fails the test if an answer is not what openapi.yaml says.
func (l *lab) hold(r *http.Request, w *httptest.ResponseRecorder) {
	l.t.Helper()
	if l.routes == nil {
		return
	}
	route, params, err := l.routes.FindRoute(r)
	if err != nil {
		return // 404 and 405 of paths that the contract does not have
	}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code,
		Header:                 w.Header(),
		Body:                   io.NopCloser(bytes.NewReader(w.Body.Bytes())),
	})
	if err != nil {
		l.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
}

func (l *lab) authorize(order, key, token string) said {
	l.t.Helper()
	return l.post(l.t.Context(), "/payments/authorize", key, authorization(order, token))
}

func authorization(order, token string) string {
	return `{"orderId":"` + order + `","amount":{"amountMinor":1250,"currency":"EUR"},"token":"` + token + `"}`
}

// on captures, voids or refunds the payment of an order.
func (l *lab) on(operation, order, key string) said {
	l.t.Helper()
	return l.post(l.t.Context(), "/payments/"+operation, key, `{"orderId":"`+order+`"}`)
}

func (l *lab) label(order, key, address string) said {
	l.t.Helper()
	return l.post(l.t.Context(), "/labels", key, labelOf(order, address))
}

func labelOf(order, address string) string {
	return `{"orderId":"` + order + `","level":"express","address":"` + address + `"}`
}

func (l *lab) get(path string, v any) {
	l.t.Helper()
	s := l.do(l.request(http.MethodGet, path, nil))
	if s.status != http.StatusOK {
		l.t.Fatalf("%s answered %d", path, s.status)
	}
	if err := json.Unmarshal([]byte(s.body), v); err != nil {
		l.t.Fatal(err)
	}
}

// movements returns the whole statement of the provider and holds its order.
func (l *lab) movements() []client.Movement {
	l.t.Helper()
	var p client.MovementPage
	l.get("/statement/payments?limit=1000", &p)
	for i, m := range p.Movements {
		if m.Sequence != int64(i+1) {
			l.t.Errorf("movement %d has sequence %d", i+1, m.Sequence)
		}
	}
	return p.Movements
}

func (l *lab) parcels() []client.Parcel {
	l.t.Helper()
	var p client.ParcelPage
	l.get("/statement/labels?limit=1000", &p)
	return p.Parcels
}

func TestASecondWorldOnTheSameFileIsRefused(t *testing.T) {
	t.Parallel()
	l := open(t)
	if w, err := world.Open(world.Options{Path: l.path}); err == nil {
		t.Errorf("opened a second one: %v", w)
	}
}

func TestAStoppedWorldSaysSo(t *testing.T) {
	t.Parallel()
	l := open(t)
	l.stop()
	if s := l.authorize("o", "k", "tok_ok"); s.status != 503 || s.code != client.CodeUnavailable {
		t.Errorf("got %+v, want 503", s)
	}
	if s := l.do(l.request(http.MethodGet, "/healthz", nil)); s.status != 503 {
		t.Errorf("health: got %+v, want 503", s)
	}
}

var errGone = errors.New("the caller went away")
