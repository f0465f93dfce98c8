package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.uber.org/goleak"

	"parley.sh/services/contract"
	"parley.sh/services/kit/config"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/rabbit"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/kit/telemetry"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/bus"
)

func TestMain(m *testing.M) {
	// What telemetry.Start does in a process.
	otel.SetTextMapPropagator(propagation.TraceContext{})
	goleak.VerifyTestMain(m)
}

// world is everything around the order service: a Kafka of this process, a virtual
// host of RabbitMQ, a database, and a test that plays the other services.
type world struct {
	t         *testing.T
	brokers   []string
	amqp      string
	database  string
	server    string
	inventory *inventory
	env       map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, amqp: virtualHost(t), database: servertest.Database(t), server: os.Getenv(servertest.DatabaseVariable), env: map[string]string{}}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, topics()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w.brokers = cluster.ListenAddrs()
	w.inventory = newInventory(t)
	return w
}

func topics() []string {
	list := append(bus.FactTopics(), contract.TopicOrders, contract.TopicStock, kafka.DeadLetterTopic(contract.TopicStock, bus.LevelGroup))
	for _, topic := range bus.FactTopics() {
		list = append(list, kafka.DeadLetterTopic(topic, bus.Group))
	}
	return list
}

// inventory answers the stock check.
type inventory struct {
	url   string
	mu    sync.Mutex
	stock int64
	down  bool
	asked int
}

func newInventory(t *testing.T) *inventory {
	t.Helper()
	i := &inventory{stock: 1000}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *inventory) set(change func(*inventory)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

// ServeHTTP implements http.Handler.
func (i *inventory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"productId":%q,"available":true,"stock":%d,"unitPrice":{"amountMinor":1250,"currency":"EUR"}}`,
		r.URL.Query().Get("productId"), i.stock)
}

// virtualHost makes a virtual host with what the platform's topology has of the
// order service's exchanges and queues, and returns its AMQP URL.
func virtualHost(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(servertest.AMQP(t))
	if err != nil {
		t.Fatal(err)
	}
	name := servertest.Name(t)
	u.Path = "/" + name
	manage(t, http.MethodPut, "/api/vhosts/"+name, "")
	t.Cleanup(func() { manage(t, http.MethodDelete, "/api/vhosts/"+name, "") })
	manage(t, http.MethodPut, "/api/permissions/"+name+"/"+u.User.Username(), `{"configure":".*","write":".*","read":".*"}`)
	for exchange, kind := range map[string]string{contract.OrderExchange: "topic", contract.OrderUpdates: "fanout"} {
		manage(t, http.MethodPut, "/api/exchanges/"+name+"/"+exchange, fmt.Sprintf(`{"type":%q,"durable":true}`, kind))
	}
	for _, queue := range []string{contract.InventoryQueue, contract.PaymentQueue, contract.ShippingQueue} {
		manage(t, http.MethodPut, "/api/queues/"+name+"/"+queue, `{"durable":true}`)
		manage(t, http.MethodPut, "/api/exchanges/"+name+"/"+rabbit.RetryExchange(queue), `{"type":"direct","durable":true}`)
		for _, key := range []string{contract.KeyConfirmed, contract.KeyCancelled, contract.KeyCancelRequested} {
			bind(t, name, queue, key)
		}
	}
	return u.String()
}

func bind(t *testing.T, host, queue, key string) {
	t.Helper()
	manage(t, http.MethodPost, "/api/bindings/"+host+"/e/"+contract.OrderExchange+"/q/"+queue, fmt.Sprintf(`{"routing_key":%q}`, key))
}

// manage calls RabbitMQ's management API.
func manage(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, servertest.Management(t)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
}

// replica is one process of the order service, in this one.
type replica struct {
	t    *testing.T
	url  string
	stop func()
}

// start runs a replica and waits until it listens.
func (w *world) start() *replica {
	w.t.Helper()
	addr := freeAddress(w.t)
	for name, value := range map[string]string{
		"HTTP_ADDR": addr, "DATABASE_URL": w.database, "KAFKA_BROKERS": strings.Join(w.brokers, ","), "AMQP_URL": w.amqp,
		"INVENTORY_URL": w.inventory.url, "DRAIN_DELAY": "0s", "SHUTDOWN_TIMEOUT": "10s", "SWEEP_INTERVAL": "50ms",
		"STREAM_TICK": "100ms", "OUTBOX_PUBLISH_TIMEOUT": "2s", "INVENTORY_RETRY_BURST": "0", "INVENTORY_BREAKER_SHARE": "0",
	} {
		w.t.Setenv(name, or(w.env[name], value))
	}
	for name, value := range w.env {
		w.t.Setenv(name, value)
	}
	var cfg Config
	if err := config.Load(&cfg); err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv("DATABASE_URL", w.server) // the test's own, which servertest reads
	return runReplica(w.t, cfg, "http://"+addr)
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func runReplica(t *testing.T, cfg Config, base string) *replica {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	observed := &telemetry.Telemetry{
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), Registry: prometheus.NewRegistry(),
	}
	go func() { done <- run(ctx, cfg, observed) }()
	r := &replica{t: t, url: base}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the replica failed: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(r.stop)
	eventually(t, "the replica to listen", func() bool {
		status, _ := r.get("/healthz")
		return status == http.StatusOK
	})
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (r *replica) ready() *replica {
	r.t.Helper()
	eventually(r.t, "the replica to be ready", func() bool {
		status, _ := r.get("/readyz")
		return status == http.StatusOK
	})
	return r
}

func (r *replica) get(path string) (int, []byte) {
	return r.call(http.MethodGet, path, "", nil)
}

// call returns 0 when there was no answer.
func (r *replica) call(method, path, body string, header map[string]string) (int, []byte) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return 0, nil
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	data, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, data
}

const orderBody = `{"customerId":"ada","items":[{"productId":"123","quantity":1}],"payment":{"token":"tok_ok"},"shipping":{"level":"express"}}`

func (r *replica) post(key string, header map[string]string) (int, []byte) {
	all := map[string]string{"Idempotency-Key": key}
	for name, value := range header {
		all[name] = value
	}
	return r.call(http.MethodPost, "/api/orders", orderBody, all)
}

func (r *replica) place(header map[string]string) client.Order {
	r.t.Helper()
	status, body := r.post("k", header)
	if status != http.StatusAccepted {
		r.t.Fatalf("POST answers %d %s", status, body)
	}
	return decode[client.Order](r.t, body)
}

func (r *replica) order(id uuid.UUID) client.OrderWithTimeline {
	r.t.Helper()
	status, body := r.get("/api/orders/" + id.String())
	if status != http.StatusOK {
		r.t.Fatalf("GET answers %d %s", status, body)
	}
	return decode[client.OrderWithTimeline](r.t, body)
}

// until waits until an order satisfies a condition.
func (r *replica) until(id uuid.UUID, what string, holds func(client.Order) bool) client.OrderWithTimeline {
	r.t.Helper()
	var last client.OrderWithTimeline
	eventually(r.t, fmt.Sprintf("order %s to be %s", id, what), func() bool {
		last = r.order(id)
		return holds(last.Order)
	})
	return last
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// play starts the other services until the test ends.
func (w *world) play() *others {
	w.t.Helper()
	cfg, options := w.kafka(), kafka.Options{}
	o := &others{w: w, publisher: kafka.NewPublisher(cfg, options)}
	w.background(o.publisher.Run)
	w.background(kafka.NewConsumer(cfg, kafka.ConsumerConfig{Group: "others", Topics: []string{contract.TopicOrders}}, o.handle, options).Run)
	amqp := rabbit.Defaults()
	amqp.URL = config.Secret(w.amqp)
	for _, queue := range []string{contract.InventoryQueue, contract.PaymentQueue, contract.ShippingQueue} {
		w.background(rabbit.NewConsumer(amqp, rabbit.ConsumerConfig{Queue: queue}, o.handle, rabbit.Options{}).Run)
	}
	return o
}

func (w *world) kafka() kafka.Config {
	w.t.Helper()
	w.t.Setenv("KAFKA_BROKERS", strings.Join(w.brokers, ","))
	var cfg struct{ Kafka kafka.Config }
	if err := config.Load(&cfg); err != nil {
		w.t.Fatal(err)
	}
	return cfg.Kafka
}

// background runs something until the test ends.
func (w *world) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}
