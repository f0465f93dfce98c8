package rabbit_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/broker/rabbit"
	"parley.sh/services/topology/internal/plan"
)

// recorder is a management API that answers everything the same, and keeps what it
// was asked.
type recorder struct {
	mu     sync.Mutex
	asked  []string
	status int
	body   string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, strings.TrimSpace(request.Method+" "+request.RequestURI+" "+string(body)))
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body)
}

func served(t *testing.T, r *recorder) *rabbit.Session {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	s, err := rabbit.Open(address.Address{
		Protocol: address.AMQP, Hosts: []string{"127.0.0.1:1"}, User: "u", Password: "s3cret", Vhost: "/", Management: server.URL + "/prefix",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func step(op plan.Op, o plan.Object) plan.Step {
	return plan.Step{Key: plan.Key{Op: op, ID: o.ID()}, Object: o}
}

// Whatever an object is called, its path is its own and no other's.
func TestPaths(t *testing.T) {
	t.Parallel()
	args := map[string]any{}
	tests := map[string]struct {
		step plan.Step
		want string
	}{
		"the default vhost": {
			step(plan.Create, &plan.Queue{Vhost: "/", Name: "q", Durable: true, Arguments: args}),
			`PUT /prefix/api/queues/%2F/q {"durable":true,"auto_delete":false,"arguments":{}}`,
		},
		"a way out": {
			step(plan.Delete, &plan.Queue{Vhost: "..", Name: "../../users/guest"}),
			`DELETE /prefix/api/queues/%2E%2E/..%2F..%2Fusers%2Fguest`,
		},
		"a query": {
			step(plan.Delete, &plan.Exchange{Vhost: "/", Name: "e?if-unused=true#x%2F"}),
			`DELETE /prefix/api/exchanges/%2F/e%3Fif-unused=true%23x%252F`,
		},
		"a line": {
			step(plan.Delete, &plan.Policy{Vhost: "v", Name: "a\r\nHost: b"}),
			`DELETE /prefix/api/policies/v/a%0D%0AHost:%20b`,
		},
		"a policy": {
			step(plan.Update, &plan.Policy{Vhost: "v", Name: "p", Pattern: "^q$", ApplyTo: "queues", Priority: 7, Definition: map[string]any{"max-length": 1}}),
			`PUT /prefix/api/policies/v/p {"pattern":"^q$","apply-to":"queues","priority":7,"definition":{"max-length":1}}`,
		},
		"an exchange": {
			step(plan.Create, &plan.Exchange{Vhost: "v", Name: "e", Type: "topic", Internal: true, Arguments: args}),
			`PUT /prefix/api/exchanges/v/e {"type":"topic","durable":false,"auto_delete":false,"internal":true,"arguments":{}}`,
		},
		"a binding to an exchange": {
			step(plan.Create, &plan.Binding{Vhost: "v", Source: "a", Destination: "b", DestinationKind: plan.KindExchange, RoutingKey: "k/é", Arguments: args}),
			`POST /prefix/api/bindings/v/e/a/e/b {"routing_key":"k/é","arguments":{}}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{status: http.StatusNoContent}
			if err := served(t, r).Execute(t.Context(), []plan.Step{tc.step})[0]; err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.want}, r.asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		body   string
		want   fault.Kind
	}{
		"wrong argument":   {400, `{"error":"bad_request","reason":"invalid arg 'x-max-length'"}`, fault.Invalid},
		"made otherwise":   {400, `{"error":"bad_request","reason":"inequivalent arg 'durable'"}`, fault.Invalid},
		"no vhost":         {400, `{"error":"bad_request","reason":"vhost_not_found"}`, fault.NotFound},
		"wrong password":   {401, `{"error":"not_authorized","reason":"Not_Authorized"}`, fault.Invalid},
		"no right":         {401, `{"error":"not_authorised","reason":"Access refused."}`, fault.Invalid},
		"not there":        {404, `{"error":"not_found","reason":"no exchange 'e'"}`, fault.NotFound},
		"too many":         {429, ``, fault.Unavailable},
		"an alarm":         {500, `{"error":"internal","reason":{"a":[1]}}`, fault.Unavailable},
		"a proxy":          {502, `<html>bad gateway</html>`, fault.Unavailable},
		"endless":          {400, strings.Repeat("x", 1<<20), fault.Invalid},
		"a strange reason": {400, `{"reason":[["a",1]]}`, fault.Invalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{status: tc.status, body: tc.body}
			s := step(plan.Create, &plan.Queue{Vhost: "/", Name: "q"})
			err := served(t, r).Execute(t.Context(), []plan.Step{s})[0]
			if !fault.Is(err, tc.want) {
				t.Fatalf("is %s: %v", fault.KindOf(err), err)
			}
			if said := err.Error(); len(said) > 2048 || strings.Contains(said, "s3cret") || !strings.Contains(said, fmt.Sprint(tc.status)) {
				t.Errorf("says %q", said)
			}
		})
	}
}

// What is gone already was deleted, and what is not there is not unbound.
func TestDeletingTwice(t *testing.T) {
	t.Parallel()
	r := &recorder{status: http.StatusNotFound, body: `{"error":"Object Not Found","reason":"Not Found"}`}
	steps := []plan.Step{
		step(plan.Delete, &plan.Exchange{Vhost: "/", Name: "e"}),
		step(plan.Delete, &plan.Binding{Vhost: "/", Source: "e", Destination: "q", DestinationKind: plan.KindQueue}),
	}
	for i, err := range served(t, r).Execute(t.Context(), steps) {
		if err != nil {
			t.Errorf("%s: %v", steps[i].Key, err)
		}
	}
}

// A queue that cannot be looked at is not deleted.
func TestUnseenIsNotEmpty(t *testing.T) {
	t.Parallel()
	r := &recorder{status: http.StatusNoContent}
	s := step(plan.Delete, &plan.Queue{Vhost: "/", Name: "q"})
	s.OnlyIfEmpty = true
	if err := served(t, r).Execute(t.Context(), []plan.Step{s})[0]; !fault.Is(err, fault.Unavailable) || len(r.asked) > 0 {
		t.Errorf("%v after %v", err, r.asked)
	}
	other := step(plan.Delete, &plan.Exchange{Vhost: "/", Name: "e"})
	other.OnlyIfEmpty = true
	if err := served(t, r).Execute(t.Context(), []plan.Step{other})[0]; !fault.Is(err, fault.Internal) || len(r.asked) > 0 {
		t.Errorf("an exchange: %v after %v", err, r.asked)
	}
}

func TestObserveWhatIsNoRabbit(t *testing.T) {
	t.Parallel()
	want := plan.Desired{Queues: []plan.WantQueue{{Queue: plan.Queue{Vhost: "/", Name: "q"}}}}
	for _, body := range []string{"<html>", `{"queues": 5}`, `[{"name": 5}]`, ""} {
		r := &recorder{status: http.StatusOK, body: body}
		if _, err := served(t, r).Observe(t.Context(), want); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", body, err)
		}
	}
	gone := &recorder{status: http.StatusBadRequest, body: `{"error":"bad_request","reason":"vhost_not_found"}`}
	if _, err := served(t, gone).Observe(t.Context(), want); err == nil {
		t.Error("a broker that knows nobody is observed")
	}
}
