package rabbit

import (
	"errors"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/servertest"
)

// expectResults publishes and checks what became of each message: nil or the cause.
func expectResults(t *testing.T, p *Publisher, messages []message.Message, want ...error) []error {
	t.Helper()
	got := message.Results(p.Publish(within(t), messages...), len(messages))
	for i, err := range got {
		if !errors.Is(err, want[i]) {
			t.Errorf("message %d: %v, want %v", i, err, want[i])
		}
	}
	return got
}

func TestReturnedMessageIsAnError(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	publisher := startPublisher(t, settings(t), Options{})
	lost := p.message("key-1")
	lost.To.RoutingKey = "nobody"
	sent := []message.Message{p.message("key-1"), lost, p.message("key-1"), lost}
	got := expectResults(t, publisher, sent, nil, errReturned, nil, errReturned)
	if !fault.Is(got[1], fault.Unavailable) {
		t.Errorf("a returned message is %s", fault.KindOf(got[1]))
	}
	eventually(t, "the others to arrive", func() bool { return p.depth(t, p.queue) == 2 })
}

func TestOptionalExchangeMayReachNoQueue(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	publisher := startPublisher(t, settings(t), Options{Optional: []string{p.exchange}})
	m := p.message("key-1")
	m.To.RoutingKey = "nobody"
	must(t, publisher.Publish(within(t), m))
}

func TestNackIsAnError(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	full := servertest.Name(t)
	_, err := p.raw.QueueDeclare(full, true, false, false, false, amqp.Table{
		amqp.QueueMaxLenArg: int32(1), amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	})
	must(t, err)
	t.Cleanup(func() { _, _ = p.raw.QueueDelete(full, false, false, false) })
	must(t, p.raw.QueueBind(full, "full", p.exchange, false, nil))
	publisher := startPublisher(t, settings(t), Options{})
	refused := p.message("key-1")
	refused.To.RoutingKey = "full"
	must(t, publisher.Publish(within(t), refused))
	sent := []message.Message{p.message("key-1"), refused, p.message("key-1")}
	got := expectResults(t, publisher, sent, nil, errNacked, nil)
	if !fault.Is(got[1], fault.Unavailable) {
		t.Errorf("a nacked message is %s", fault.KindOf(got[1]))
	}
}

// The broker closes the channel over a message to an exchange that is not there. The
// others of the batch, and those of other callers, must not fail for it.
func TestUnknownExchangeFailsItsMessagesAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cfg := settings(t)
	cfg.Channels = 1
	publisher := startPublisher(t, cfg, Options{})
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for range 20 {
				if err := publisher.Publish(within(t), p.messages(5)...); err != nil {
					t.Errorf("another caller: %v", err)
				}
			}
		})
	}
	sent := p.messages(100)
	want := make([]error, len(sent))
	for _, i := range []int{0, 37, 38, 99} {
		sent[i].To.Name = p.exchange + "-missing"
		want[i] = errRefused
	}
	got := expectResults(t, publisher, sent, want...)
	if !fault.Is(got[37], fault.Unavailable) {
		t.Errorf("a message to an unknown exchange is %s", fault.KindOf(got[37]))
	}
	others.Wait()
}

func TestExchangeMadeLaterIsPublishedTo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tapped, cfg := newTap(t)
	publisher := startPublisher(t, cfg, Options{})
	m := p.message("key-1")
	m.To.Name = p.exchange + "-late"
	expectResults(t, publisher, []message.Message{m}, errRefused)
	expectResults(t, publisher, []message.Message{m, p.message("key-1")}, errRefused, nil)
	must(t, p.raw.ExchangeDeclare(m.To.Name, "topic", true, false, false, false, nil))
	t.Cleanup(func() { _ = p.raw.ExchangeDelete(m.To.Name, false, false) })
	must(t, p.raw.QueueBind(p.queue, p.key, m.To.Name, false, nil))
	must(t, publisher.Publish(within(t), m))
	opened := tapped.count(channelOpen)
	must(t, publisher.Publish(within(t), m))
	must(t, publisher.Publish(within(t), m))
	if tapped.count(channelOpen) > opened+1 { // that of its lane
		t.Error("a message to a healed exchange still goes over a channel of its own")
	}
}

// What the broker refuses with 406 can never be published. The user_id property must
// be the connection's own user, which makes the broker say so.
func TestRefusedForGoodIsInvalid(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	publisher := startPublisher(t, settings(t), Options{})
	items := make([]*item, 5)
	for n := range items {
		i, err := newItem(t.Context(), p.message("key-1"))
		must(t, err)
		items[n] = i
	}
	items[2].body.UserId = "somebody else"
	publisher.send(within(t), items)
	for n, i := range items {
		if n != 2 && i.err != nil {
			t.Errorf("message %d: %v", n, i.err)
		}
	}
	if !fault.Is(items[2].err, fault.Invalid) || !errors.Is(items[2].err, errRefused) {
		t.Errorf("refused message: %v", items[2].err)
	}
}

func TestMessagesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	long := string(make([]byte, maxShort+1))
	good := message.Message{
		ID: "1", Type: "T", Source: "s", Time: time.Now(),
		To: message.Address{Broker: message.RabbitMQ, Name: "x", RoutingKey: "k"},
	}
	tests := map[string]func(m *message.Message){
		"for Kafka":           func(m *message.Message) { m.To.Broker = message.Kafka },
		"default exchange":    func(m *message.Message) { m.To.Name = "" },
		"long exchange":       func(m *message.Message) { m.To.Name = long },
		"long routing key":    func(m *message.Message) { m.To.RoutingKey = long },
		"large data":          func(m *message.Message) { m.Data = make([]byte, message.MaxData+1) },
		"no id":               func(m *message.Message) { m.ID = "" },
		"long name of header": func(m *message.Message) { m.Headers = map[string]string{long: ""} },
		"large headers":       func(m *message.Message) { m.Headers = map[string]string{"h": string(make([]byte, maxHeaders))} },
	}
	p := NewPublisher(Defaults(), Options{})
	for name, spoil := range tests {
		m := good
		spoil(&m)
		if err := p.Publish(t.Context(), m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	must(t, p.Publish(t.Context()))
}
