package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"parley.sh/services/contract"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
	"parley.sh/services/order/client"
	"parley.sh/services/order/internal/bus"
)

func story(o client.OrderWithTimeline) string {
	var names []string
	for _, c := range o.Timeline {
		names = append(names, string(c.Change))
	}
	return strings.Join(names, " ")
}

// An order placed on one replica is led to its end by two, and a stream on the other
// shows all of it; one trace covers its REST, its facts and its work.
func TestJourney(t *testing.T) {
	w := newWorld(t)
	others := w.play()
	one, two := w.start().ready(), w.start().ready()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	placed := one.place(map[string]string{"traceparent": "00-" + trace + "-00f067aa0ba902b7-01"})
	got := stream(t, two, "/api/orders/"+placed.ID.String()+"/events")
	if diff := cmp.Diff([]string{"1 placed", "2 confirmed", "3 shipped", "4 settled"}, got); diff != "" {
		t.Error(diff)
	}
	end := two.order(placed.ID)
	if o := end.Order; o.State != client.OrderStateShipped || !o.Settled || o.TrackingNumber == nil || o.Version != 4 {
		t.Errorf("the order ends as %+v", o)
	}
	for _, name := range []string{"OrderPlacedEvent", "FulfilOrder"} {
		received := others.received(name)
		if len(received) == 0 {
			t.Errorf("no %s was received", name)
		}
		for _, m := range received {
			if !strings.Contains(m.Headers[message.TraceParent], trace) {
				t.Errorf("%s has traceparent %q", name, m.Headers[message.TraceParent])
			}
		}
	}
}

// stream reads an event stream to its end and returns "id change" of each event.
func stream(t *testing.T, r *replica, path string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var events []string
	id := ""
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			events = append(events, id+" "+string(decode[client.OrderChange](t, []byte(value)).Change))
		}
	}
	return events
}

func TestCancelledJourney(t *testing.T) {
	w := newWorld(t)
	r := w.start().ready()
	o := r.place(nil)
	if status, body := r.call(http.MethodPost, "/api/orders/"+o.ID.String()+"/cancel", "", nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	w.play() // only now do the others hear of it: reservation and undoing cross
	end := r.until(o.ID, "settled", settled)
	if diff := cmp.Diff("placed cancelled settled", story(end)); diff != "" {
		t.Error(diff)
	}
}

// Fifty equal requests on two replicas, for the last piece, make one order, and all
// of them are answered with it.
func TestConcurrentEqualPostsMakeOneOrder(t *testing.T) {
	w := newWorld(t)
	w.inventory.set(func(i *inventory) { i.stock = 1 })
	replicas := []*replica{w.start().ready(), w.start().ready()}
	var racing sync.WaitGroup
	ids := make([]string, 50)
	for i := range ids {
		racing.Go(func() {
			status, body := replicas[i%2].post("one", nil)
			if status != http.StatusAccepted {
				t.Errorf("%d %s", status, body)
				return
			}
			ids[i] = decode[client.Order](t, body).ID.String()
			w.inventory.set(func(i *inventory) { i.stock = 0 }) // the winner's reservation
		})
	}
	racing.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two orders: %s and %s", ids[0], id)
		}
	}
	status, body := replicas[0].get("/api/orders")
	if page := decode[client.OrderPage](t, body); status != http.StatusOK || len(page.Orders) != 1 {
		t.Errorf("%d %s", status, body)
	}
}

// With both brokers away orders are accepted, the service stays ready and says what
// is missing; when they are back the orders go on.
func TestBrokersAway(t *testing.T) {
	w := newWorld(t)
	brokers, amqp := w.brokers, w.amqp
	w.brokers, w.amqp = []string{freeAddress(t)}, "amqp://guest:guest@"+freeAddress(t)+"/"
	r := w.start().ready()
	o := r.place(nil)
	eventually(t, "the missing brokers to show", func() bool {
		status, body := r.get("/readyz")
		return status == http.StatusOK && strings.Count(string(body), `"unavailable"`) >= 2
	})
	r.stop()
	w.brokers, w.amqp = brokers, amqp
	w.play()
	r = w.start().ready()
	r.until(o.ID, "settled", settled)
}

// Without its database the service starts, says that it is not ready, refuses, and
// goes on by itself once the database is there.
func TestDatabaseComesLate(t *testing.T) {
	w := newWorld(t)
	name := strings.ReplaceAll(servertest.Name(t), "-", "_")
	w.database = servertest.DatabaseURL(t, name)
	r := w.start()
	if status, body := r.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "database") {
		t.Errorf("not ready is %d %s", status, body)
	}
	if status, body := r.post("k", nil); status != http.StatusServiceUnavailable {
		t.Errorf("POST answers %d %s", status, body)
	}
	servertest.CreateDatabase(t, name)
	r.ready().place(nil)
	r.stop()
}

// A command that is lost to a missing binding is asked for again, under a new id.
func TestLostCommandIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	w.env["LEG_TIMEOUT"] = "1s"
	host := w.amqp[strings.LastIndex(w.amqp, "/")+1:]
	path := "/api/bindings/" + host + "/e/" + contract.OrderExchange + "/q/" + contract.PaymentQueue + "/"
	manage(t, http.MethodDelete, path+contract.KeyConfirmed, "")
	others := w.play()
	r := w.start().ready()
	o := r.place(nil)
	r.until(o.ID, "shipped", func(o client.Order) bool { return o.State == client.OrderStateShipped })
	bind(t, host, contract.PaymentQueue, contract.KeyConfirmed)
	end := r.until(o.ID, "settled", settled)
	if diff := cmp.Diff("placed confirmed shipped settled", story(end)); diff != "" {
		t.Error(diff)
	}
	ids := map[string]bool{}
	for _, m := range others.received("FulfilOrder") {
		ids[m.ID] = true
	}
	if len(ids) < 2 {
		t.Errorf("FulfilOrder came under %d ids, want a new one for the repeat", len(ids))
	}
	if _, body := r.get("/metrics"); !strings.Contains(string(body), `order_asked_again_total{work="FulfilOrder"}`) {
		t.Error("the metric of work asked again is missing")
	}
}

func TestDeadlineOfAnOrderThatNobodyAnswers(t *testing.T) {
	w := newWorld(t)
	w.env["ORDER_DEADLINE"] = "1s"
	w.start().ready()
	r := w.start().ready()
	o := r.place(nil)
	end := r.until(o.ID, "cancelled", func(o client.Order) bool { return o.State == client.OrderStateCancelled })
	if end.Order.Reason == nil || *end.Order.Reason != client.TimedOut || story(end) != "placed cancelled" {
		t.Errorf("the order ends as %+v: %s", end.Order, story(end))
	}
}

// While inventory is down orders are checked against what it published, on a replica
// that read none of it as well.
func TestReadModel(t *testing.T) {
	w := newWorld(t)
	others := w.play()
	one, two := w.start().ready(), w.start().ready()
	w.inventory.set(func(i *inventory) { i.down = true })
	if status, body := one.post("before", nil); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s, want a refusal while nothing is known", status, body)
	}
	level := func(version, stock int64) {
		p := contract.StockLevelChangedEvent{
			ProductID: "123", Version: version, Stock: stock, Price: contract.Money{AmountMinor: 999, Currency: "EUR"},
		}
		if err := others.say(t.Context(), message.Message{}, p); err != nil {
			t.Fatal(err)
		}
	}
	level(2, 1)
	for i, r := range []*replica{one, two} {
		eventually(t, "an order at the published price", func() bool {
			status, body := r.post(fmt.Sprint("k", i), nil)
			return status == http.StatusAccepted && decode[client.Order](t, body).Amount.AmountMinor == 999
		})
	}
	level(1, 50) // older: changes nothing
	level(3, 0)
	eventually(t, "the published level to be respected", func() bool {
		status, _ := one.post(uuid.NewString(), nil)
		return status == http.StatusConflict
	})
	if _, body := one.get("/metrics"); !strings.Contains(string(body), `order_stock_checks_total{against="read_model"}`) {
		t.Error("the metric of the fallback is missing")
	}
}

// Garbage on a topic is set aside, all of it, and holds up nothing.
func TestGarbageOnATopic(t *testing.T) {
	w := newWorld(t)
	others := w.play()
	r := w.start().ready()
	places := append(bus.FactTopics(), contract.TopicStock)
	for i := range 20 {
		for _, topic := range places {
			m := message.Message{
				ID: newID(), Type: "StockReservedEvent", Source: "test", Subject: fmt.Sprint(i), Key: fmt.Sprint(i), Time: now(),
				To: message.Address{Broker: message.Kafka, Name: topic}, Data: []byte(strings.Repeat("{\x00", i)),
			}
			if err := others.publisher.Publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	o := r.place(nil)
	r.until(o.ID, "settled", settled)
	var aside atomic.Int64
	for _, topic := range places {
		group := bus.Group
		if topic == contract.TopicStock {
			group = bus.LevelGroup
		}
		c := kafka.ConsumerConfig{Group: "audit-" + topic, Topics: []string{kafka.DeadLetterTopic(topic, group)}}
		w.background(kafka.NewConsumer(w.kafka(), c, func(context.Context, message.Message) error {
			aside.Add(1)
			return nil
		}, kafka.Options{}).Run)
	}
	eventually(t, "all garbage to lie in the dead-letter topics", func() bool { return aside.Load() == 80 })
}

// A stop ends open streams and finishes in time.
func TestStopWithOpenStreams(t *testing.T) {
	w := newWorld(t)
	r := w.start().ready()
	ended := make(chan []string)
	go func() { ended <- stream(t, r, "/api/events") }()
	eventually(t, "the stream to be open", func() bool {
		_, body := r.get("/metrics")
		return strings.Contains(string(body), "order_event_streams 1")
	})
	r.stop()
	<-ended
}
