package rabbit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/topology/internal/broker"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/broker/rabbit"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
	"parley.sh/services/topology/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a vhost of its own on the broker under test.
type server struct {
	t       *testing.T
	address address.Address
	vhost   string
}

func newServer(t *testing.T) *server {
	t.Helper()
	management, err := url.Parse(servertest.Management(t))
	if err != nil {
		t.Fatal(err)
	}
	a, err := address.ParseSecret(servertest.AMQP(t))
	if err != nil {
		t.Fatal(err)
	}
	a.Management = management.Scheme + "://" + management.Host
	s := &server{t: t, address: a, vhost: servertest.Name(t)}
	s.http(http.MethodPut, "vhosts/"+s.vhost, nil)
	s.http(http.MethodPut, "permissions/"+s.vhost+"/"+a.User, map[string]string{"configure": ".*", "write": ".*", "read": ".*"})
	t.Cleanup(func() { s.http(http.MethodDelete, "vhosts/"+s.vhost, nil) })
	return s
}

// http is a request by hand: what somebody else does.
func (s *server) http(method, path string, body any) {
	s.t.Helper()
	data, _ := json.Marshal(body)
	request, err := http.NewRequestWithContext(context.WithoutCancel(s.t.Context()), method, s.address.Management+"/api/"+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	request.SetBasicAuth(s.address.User, s.address.Password.Reveal())
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusMultipleChoices {
		said, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, said)
	}
}

// channel is a client's.
func (s *server) channel() *amqp.Channel {
	s.t.Helper()
	c, err := amqp.DialConfig("amqp://"+s.address.Hosts[0], amqp.Config{
		Vhost: s.vhost, SASL: []amqp.Authentication{&amqp.PlainAuth{Username: s.address.User, Password: s.address.Password.Reveal()}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	channel, err := c.Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		s.t.Fatal(err)
	}
	return channel
}

func publish(t *testing.T, c *amqp.Channel, exchange, key string) {
	t.Helper()
	d, err := c.PublishWithDeferredConfirm(exchange, key, true, false, amqp.Publishing{Body: []byte("x"), DeliveryMode: amqp.Persistent})
	if err != nil {
		t.Fatal(err)
	}
	if !d.Wait() {
		t.Fatal("not confirmed")
	}
}

func (s *server) session() *rabbit.Session {
	s.t.Helper()
	out, err := rabbit.Open(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = out.Close() })
	return out
}

func (s *server) want(text string) plan.Desired {
	s.t.Helper()
	documents, problems := manifest.Decode("f", []byte(text))
	want, more := spec.Compile(documents, s.vhost)
	if len(problems)+len(more) > 0 {
		s.t.Fatal(problems, more)
	}
	return want
}

func (s *server) apply(text string, risk plan.Risk) []broker.Result {
	s.t.Helper()
	results, err := broker.Apply(s.t.Context(), s.session(), s.want(text), broker.Options{MaxRisk: risk})
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	return results
}

// lines are the results, the vhost left out.
func (s *server) lines(results []broker.Result) []string {
	var out []string
	for _, r := range results {
		line := strings.ReplaceAll(fmt.Sprintf("%s %s", r.Step.Key, r.Outcome), " in vhost "+s.vhost, "")
		if r.Err != nil {
			s.t.Log(line, r.Err)
		}
		out = append(out, line)
	}
	return out
}

func (s *server) check(name string, results []broker.Result, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.lines(results)); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func object(kind, name, rest string) string {
	return "---\napiVersion: messaging.parley.sh/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name +
		"}\nspec:\n  brokerRef: {kind: RabbitmqCluster, name: r}\n" + rest
}

var platform = object("Exchange", "e", "  type: topic\n  alternateExchange: amq.fanout\n") +
	object("Exchange", "f", "  type: fanout\n  bindings: [{exchange: e, routingKeys: [\"#\"]}]\n") +
	object("Queue", "q", "  bindings: [{exchange: e, routingKeys: [a, \"b.*\"]}]\n  retry: {delays: [100ms, 1s]}\n  deadLetter: {}\n") +
	object("Queue", "c", "  type: classic\n  maxLength: 10\n  bindings: [{exchange: amq.headers, arguments: {x-match: any, size: 5}}]\n") +
	object("Queue", "s", "  type: stream\n  maxBytes: 1Gi\n  arguments: {x-max-age: 7D, x-stream-max-segment-size-bytes: 500000000}\n") +
	object("Queue", "hostile", "  name: \"a/b ü%2F..\"\n  singleActiveConsumer: true\n  deadLetter: {}\n  bindings: [{exchange: e, routingKeys: [\"é/ .%~#\"]}]\n")

func TestObjectsComeAndAreSeen(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, line := range s.lines(s.apply(platform, plan.Safe)) {
		if !strings.HasSuffix(line, " done") {
			t.Error(line)
		}
	}
	s.check("a second time", s.apply(platform, plan.Destructive))
}

// A message that a consumer publishes to a rung comes back; what it rejects is
// dead-lettered.
func TestLadderWorks(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.apply(platform, plan.Safe)
	c := s.channel()
	deliveries, err := c.Consume("q", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, c, "q.retry", "100ms")
	first := <-deliveries
	if err := first.Reject(false); err != nil {
		t.Fatal(err)
	}
	dead, err := c.Consume("q.dlq", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-dead; string(got.Body) != "x" || got.RoutingKey != "dlq" || got.Exchange != "q.retry" {
		t.Errorf("dead-lettered as %q from %q by %q", got.Body, got.Exchange, got.RoutingKey)
	}
}

func TestDriftIsCorrected(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.apply(platform, plan.Safe)
	s.http(http.MethodPost, "bindings/"+s.vhost+"/e/e/q/q", map[string]any{"routing_key": "by hand/é"})
	s.http(http.MethodPost, "bindings/"+s.vhost+"/e/amq.headers/q/c", map[string]any{"arguments": map[string]any{"x-match": "all"}})
	s.http(http.MethodDelete, "queues/"+s.vhost+"/q.retry.1s", nil)
	s.http(http.MethodPut, "policies/"+s.vhost+"/q.policy", map[string]any{
		"pattern": "^q$", "apply-to": "quorum_queues", "priority": 100, "definition": map[string]any{"delivery-limit": 3},
	})
	s.check("safe", s.apply(platform, plan.Safe),
		"create queue q.retry.1s done",
		"create binding q.retry -> queue q.retry.1s [1s] done",
		"update policy q.policy done",
		"delete binding amq.headers -> queue c {\"x-match\":\"all\"} held",
		"delete binding e -> queue q [\"by hand/é\"] held",
	)
	s.check("disruptive", s.apply(platform, plan.Disruptive),
		"delete binding amq.headers -> queue c {\"x-match\":\"all\"} done",
		"delete binding e -> queue q [\"by hand/é\"] done",
	)
	s.check("again", s.apply(platform, plan.Destructive))
}

// What a manifest no longer names goes when it is empty, and not before.
func TestLeftoversGoWhenEmpty(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.apply(object("Queue", "q", "  retry: {delays: [1s, 10h]}\n  deadLetter: {}\n"), plan.Safe)
	publish(t, s.channel(), "q.retry", "10h")
	less := object("Queue", "q", "  retry: {delays: [1s]}\n  deadLetter: {}\n")
	s.check("held", s.apply(less, plan.Disruptive), "delete queue q.retry.10h held")
	s.check("not empty", s.apply(less, plan.Destructive), "delete queue q.retry.10h failed")
	s.http(http.MethodDelete, "queues/"+s.vhost+"/q.retry.10h/contents", nil)
	s.check("empty", s.apply(less, plan.Destructive), "delete queue q.retry.10h done")
	s.check("none", s.apply(object("Queue", "q", ""), plan.Destructive),
		"update policy q.policy done", "delete queue q.dlq done", "delete queue q.retry.1s done", "delete exchange q.retry done")
	s.check("no policy", s.apply(object("Queue", "q", "  policy: None\n"), plan.Disruptive), "delete policy q.policy done")
}

func TestReplace(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.apply(object("Queue", "q", "  bindings: [{exchange: amq.topic}]\n"), plan.Safe)
	changed := "  bindings: [{exchange: amq.topic}]\n  type: classic\n"
	s.check("never", s.apply(object("Queue", "q", changed), plan.Destructive),
		"update queue q blocked", "delete policy q.policy waiting")
	c := s.channel()
	deliveries, err := c.Consume("q", "reader", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	replace := object("Queue", "q", changed+"  replacePolicy: IfEmpty\n")
	s.check("somebody reads", s.apply(replace, plan.Destructive),
		"delete queue q failed", "create queue q waiting", "create binding amq.topic -> queue q waiting", "delete policy q.policy waiting")
	if err := c.Cancel("reader", false); err != nil {
		t.Fatal(err)
	}
	for range deliveries {
		t.Error("a message from nowhere")
	}
	s.check("empty", s.apply(replace, plan.Destructive),
		"delete queue q done", "create queue q done", "create binding amq.topic -> queue q done", "delete policy q.policy done")
	s.check("again", s.apply(replace, plan.Destructive))
}

func TestForeignPolicies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.http(http.MethodPut, "policies/"+s.vhost+"/all", map[string]any{
		"pattern": "^(?!amq)", "apply-to": "queues", "definition": map[string]any{"max-length": 5},
	})
	text := object("Queue", "q", "  deadLetter: {}\n")
	// The pattern is one that only the broker can read: it shows when the queue is
	// there, and then nothing is called done.
	for _, line := range s.lines(s.apply(text, plan.Safe)) {
		if strings.HasPrefix(line, "create queue q.dlq") && !strings.HasSuffix(line, "failed") {
			t.Error(line)
		}
	}
	p, err := broker.Preview(t.Context(), s.session(), s.want(text))
	if err != nil || p.Worst() != plan.Blocked {
		t.Errorf("planned with a foreign policy: %v, %v", p, err)
	}
	s.http(http.MethodDelete, "policies/"+s.vhost+"/all", nil)
	s.check("gone", s.apply(text, plan.Safe))
}

// Each refusal says what the broker said, and holds back no other.
func TestRefusedObjects(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	results := s.apply(
		object("Queue", "good", "")+
			object("Queue", "argument", "  arguments: {x-max-priority: high}\n")+
			object("Queue", "limits", "  arguments: {x-max-length: abc}\n  bindings: [{exchange: amq.topic}]\n")+
			object("Exchange", "plugin", "  type: x-nothing\n")+
			object("Queue", "elsewhere", "  vhost: "+s.vhost+"-gone\n")+
			object("Queue", "lost", "  bindings: [{exchange: nowhere}]\n"), plan.Safe)
	outcomes := map[string]broker.Result{}
	for _, r := range results {
		outcomes[strings.ReplaceAll(r.Step.String(), " in vhost "+s.vhost, "")] = r
	}
	for key, want := range map[string]broker.Outcome{
		"create queue good": broker.Done, "create queue argument": broker.Failed, "create queue limits": broker.Failed,
		"create binding amq.topic -> queue limits": broker.Waiting, "create exchange plugin": broker.Failed,
		"create queue elsewhere-gone": broker.Refused, "create policy elsewhere.policy-gone": broker.Refused,
		"create binding nowhere -> queue lost": broker.Refused, "create queue lost": broker.Done,
	} {
		r, planned := outcomes[key]
		if !planned || r.Outcome != want {
			t.Errorf("%s is %q: %v", key, r.Outcome, r.Err)
		}
		if r.Outcome == broker.Failed && (!fault.Is(r.Err, fault.Invalid) || !strings.Contains(r.Err.Error(), "the broker said")) {
			t.Errorf("%s: %v", key, r.Err)
		}
	}
}

func TestNoBrokerOrNoRight(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	observe := func(a address.Address) error {
		session, err := rabbit.Open(a)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		_, err = session.Observe(t.Context(), s.want(platform))
		return err
	}
	nobody := s.address
	nobody.Management = "http://" + listener.Addr().String()
	if err := observe(nobody); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("nobody there: %v", err)
	}
	wrong := s.address
	wrong.Password = config.Secret("s3cret-and-wrong")
	if err := observe(wrong); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("wrong password: %v", err)
	}
	other := s.address
	other.Management = "http://" + s.address.Hosts[0]
	if err := observe(other); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the AMQP port for the management port: %v", err)
	}
}

// A policymaker with rights on one vhost is all that it takes.
func TestLeastRight(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	user := servertest.Name(t)
	s.http(http.MethodPut, "users/"+user, map[string]string{"password": "x y/#%", "tags": "policymaker"})
	t.Cleanup(func() { s.http(http.MethodDelete, "users/"+user, nil) })
	s.http(http.MethodPut, "permissions/"+s.vhost+"/"+user, map[string]string{"configure": ".*", "write": ".*", "read": ".*"})
	limited := *s
	limited.address.User, limited.address.Password = user, config.Secret("x y/#%")
	limited.apply(object("Queue", "q", "  deadLetter: {}\n  retry: {delays: [1s]}\n"), plan.Safe)
	limited.check("and takes back", limited.apply(object("Queue", "q", ""), plan.Destructive),
		"update policy q.policy done", "delete queue q.dlq done", "delete queue q.retry.1s done", "delete exchange q.retry done")
}
