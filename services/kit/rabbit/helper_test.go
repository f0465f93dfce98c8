package rabbit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// patience bounds everything that a test waits for.
const patience = 30 * time.Second

// shortLadder is a ladder for tests that climb it.
func shortLadder() []time.Duration {
	return []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}
}

// settings returns a configuration for the server under test that reconnects fast.
func settings(tb testing.TB) Config {
	tb.Helper()
	cfg := Defaults()
	cfg.URL = config.Secret(servertest.AMQP(tb))
	cfg.ReconnectMin = 10 * time.Millisecond
	cfg.ReconnectMax = 200 * time.Millisecond
	return cfg
}

// place is an exchange with one queue behind it, its ladder and its dead-letter
// queue, as the topology makes them.
type place struct {
	exchange, key, queue string
	delays               []time.Duration
	raw                  *amqp.Channel
}

// newPlace makes a place that is removed when the test ends.
func newPlace(tb testing.TB, delays ...time.Duration) *place {
	tb.Helper()
	if delays == nil {
		delays = shortLadder()
	}
	name := servertest.Name(tb)
	p := &place{exchange: name + "-x", key: "made", queue: name, delays: delays, raw: rawChannel(tb)}
	must(tb, p.raw.ExchangeDeclare(p.exchange, "topic", true, false, false, false, nil))
	must(tb, p.raw.ExchangeDeclare(RetryExchange(p.queue), "direct", true, false, false, false, nil))
	p.declareQueue(tb)
	for _, d := range delays {
		p.declare(tb, RetryQueue(p.queue, d), DelayKey(d), rungArguments(p.queue, d))
	}
	p.declare(tb, DeadLetterQueue(p.queue), DeadLetterKey, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": int32(-1),
	})
	tb.Cleanup(p.remove)
	return p
}

// declareQueue makes the main queue, also after deleteQueue.
func (p *place) declareQueue(tb testing.TB) {
	tb.Helper()
	_, err := p.raw.QueueDeclare(p.queue, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": int32(50),
		"x-dead-letter-exchange": RetryExchange(p.queue), "x-dead-letter-routing-key": DeadLetterKey,
		"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	})
	must(tb, err)
	must(tb, p.raw.QueueBind(p.queue, p.key, p.exchange, false, nil))
}

func (p *place) deleteQueue(tb testing.TB) {
	tb.Helper()
	_, err := p.raw.QueueDelete(p.queue, false, false, false)
	must(tb, err)
}

// declare makes a queue bound to the retry exchange.
func (p *place) declare(tb testing.TB, queue, key string, args amqp.Table) {
	tb.Helper()
	_, err := p.raw.QueueDeclare(queue, true, false, false, false, args)
	must(tb, err)
	must(tb, p.raw.QueueBind(queue, key, RetryExchange(p.queue), false, nil))
}

func rungArguments(queue string, delay time.Duration) amqp.Table {
	return amqp.Table{
		"x-queue-type": "quorum", "x-message-ttl": delay.Milliseconds(),
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue,
		"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	}
}

func (p *place) remove() {
	_, _ = p.raw.QueueDelete(p.queue, false, false, false)
	for _, d := range p.delays {
		_, _ = p.raw.QueueDelete(RetryQueue(p.queue, d), false, false, false)
	}
	_, _ = p.raw.QueueDelete(DeadLetterQueue(p.queue), false, false, false)
	_ = p.raw.ExchangeDelete(RetryExchange(p.queue), false, false)
	_ = p.raw.ExchangeDelete(p.exchange, false, false)
}

// depth returns how many messages of a queue are ready.
func (p *place) depth(tb testing.TB, queue string) int {
	tb.Helper()
	q, err := p.raw.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(tb, err)
	return q.Messages
}

// take removes a ready message from a queue, waiting for one.
func (p *place) take(tb testing.TB, queue string) amqp.Delivery {
	tb.Helper()
	var d amqp.Delivery
	eventually(tb, "a message in "+queue, func() bool {
		var ok bool
		var err error
		d, ok, err = p.raw.Get(queue, true)
		must(tb, err)
		return ok
	})
	return d
}

// message returns a message for the place, unique in its id.
func (p *place) message(key string) message.Message {
	n := sequence.Add(1)
	return message.Message{
		ID:      fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", n),
		Type:    "ThingHappenedEvent",
		Source:  "rabbit_test",
		Subject: key,
		Time:    time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
		Key:     key,
		To:      message.Address{Broker: message.RabbitMQ, Name: p.exchange, RoutingKey: p.key},
		Data:    fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func (p *place) messages(n int) []message.Message {
	ms := make([]message.Message, n)
	for i := range ms {
		ms[i] = p.message(fmt.Sprintf("key-%d", i%16))
	}
	return ms
}

var sequence atomic.Int64

// rawChannel opens a channel of its own connection, for what a test does by hand.
func rawChannel(tb testing.TB) *amqp.Channel {
	tb.Helper()
	conn, err := amqp.Dial(servertest.AMQP(tb))
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(tb, err)
	return ch
}

// startPublisher runs a publisher until the test ends.
func startPublisher(tb testing.TB, cfg Config, o Options) *Publisher {
	tb.Helper()
	p := NewPublisher(cfg, o)
	run(tb, p.Run)
	return p
}

// run runs f until the test ends or stop is called.
func run(tb testing.TB, f func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var stopped atomic.Bool
	stop = func() {
		cancel()
		if stopped.Swap(true) {
			return
		}
		select {
		case err := <-done:
			if err != nil {
				tb.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			tb.Error("did not stop in time")
		}
	}
	tb.Cleanup(stop)
	return stop
}

// within returns a context that ends with the test's patience.
func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !condition(); pause(context.Background(), 5*time.Millisecond, nil) {
		if time.Now().After(end) {
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// listen opens a listener on a free port of this machine.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	var lc net.ListenConfig
	listener, err := lc.Listen(within(tb), "tcp", "127.0.0.1:0")
	must(tb, err)
	return listener
}

func dialPlain(host string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(context.Background(), "tcp", host)
}

// management calls RabbitMQ's management API and decodes the answer into out, if any.
func management(tb testing.TB, method, path string, out any) {
	tb.Helper()
	req, err := http.NewRequestWithContext(within(tb), method, servertest.Management(tb)+path, http.NoBody)
	must(tb, err)
	req.Close = true // no idle connection outlives the test
	res, err := http.DefaultClient.Do(req)
	must(tb, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	must(tb, err)
	if res.StatusCode >= http.StatusBadRequest && res.StatusCode != http.StatusNotFound {
		tb.Fatalf("%s %s: %s: %s", method, path, res.Status, body)
	}
	if out != nil {
		must(tb, json.NewDecoder(bytes.NewReader(body)).Decode(out))
	}
}

// forceClose has the broker end every connection whose name begins with prefix. It
// waits until the broker lists one: management lags behind by seconds.
func forceClose(tb testing.TB, prefix string) {
	tb.Helper()
	var names []string
	eventually(tb, "the broker to list a connection "+prefix, func() bool {
		names = connectionsOf(tb, prefix)
		return len(names) > 0
	})
	for _, name := range names {
		management(tb, http.MethodDelete, "/api/connections/"+url.PathEscape(name), nil)
	}
}

func connectionsOf(tb testing.TB, prefix string) []string {
	tb.Helper()
	var all []struct {
		Name       string
		Properties json.RawMessage `json:"client_properties"`
	}
	management(tb, http.MethodGet, "/api/connections", &all)
	var names []string
	for _, c := range all {
		var p struct {
			Name string `json:"connection_name"`
		}
		if json.Unmarshal(c.Properties, &p) == nil && strings.HasPrefix(p.Name, prefix) {
			names = append(names, c.Name)
		}
	}
	return names
}

var errBroken = errors.New("broken")

// hardStop runs f as the only part of a process whose time to finish is short. stop
// tells it to stop and waits.
func hardStop(tb testing.TB, f func(context.Context) error) (stop func()) {
	tb.Helper()
	return run(tb, func(ctx context.Context) error {
		_ = lifecycle.Serve(ctx, lifecycle.Config{ShutdownTimeout: 100 * time.Millisecond},
			lifecycle.Stage{{Name: "part", Run: f}}) // says that work was cut off
		return nil
	})
}
