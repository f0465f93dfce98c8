package rabbit

import (
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/message"
)

// The headers that a message gets on its way through the ladder, beside those of
// package message where it is set aside. Names do not begin with "x-": those are the
// broker's.
const (
	// HeaderAttempts is how many attempts have failed and count, on a rung. A dead
	// letter has it as message.DeadAttempts instead, so that driving it again by
	// putting it back starts over.
	HeaderAttempts = "parley-attempts"
	// HeaderExchange and HeaderKey are where the message was sent at first: the way
	// back from a rung goes through the default exchange.
	HeaderExchange = "parley-exchange"
	HeaderKey      = "parley-routing-key"
)

// longPrefix is the other prefix that the AMQP binding of CloudEvents allows.
const longPrefix = "cloudEvents:"

// maxAttempts bounds what a sender can make a consumer believe.
const maxAttempts = 1 << 20

// decode reads a delivery from queue. The message is filled as far as possible also
// when there is an error, which is Invalid.
func decode(queue string, d *amqp.Delivery) (message.Message, error) {
	m, err := message.Parse(message.AMQPPrefix, texts(d.Headers), d.Body)
	m.Key = m.Subject
	m.To = origin(d)
	m.Delivery = message.Delivery{Place: queue, Attempt: attemptsOf(d.Headers) + 1}
	if err != nil { // what is left of m is for the log alone
		m.ID, m.Type, m.Subject = excerpt(m.ID), excerpt(m.Type), excerpt(m.Subject)
	}
	return m, err
}

// excerpt bounds text that nobody has checked.
func excerpt(s string) string {
	const most = 64
	return s[:min(len(s), most)]
}

// texts returns the headers that can be attributes of a message as text.
func texts(headers amqp.Table) map[string]string {
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		if rest, ok := strings.CutPrefix(name, longPrefix); ok {
			name = message.AMQPPrefix + rest
			if _, both := headers[name]; both {
				continue
			}
		}
		switch v := value.(type) {
		case string:
			out[name] = v
		case []byte:
			out[name] = string(v)
		case time.Time:
			out[name] = v.UTC().Format(time.RFC3339Nano)
		}
	}
	return out
}

// origin returns where a message was sent at first.
func origin(d *amqp.Delivery) message.Address {
	to := message.Address{Broker: message.RabbitMQ, Name: d.Exchange, RoutingKey: d.RoutingKey}
	exchange, _ := d.Headers[HeaderExchange].(string)
	key, _ := d.Headers[HeaderKey].(string)
	if exchange == "" || len(exchange) > maxShort || len(key) > maxShort {
		return to
	}
	to.Name, to.RoutingKey = exchange, key
	return to
}

// attemptsOf returns how many failed attempts the headers speak of. What is not a
// plausible number is none.
func attemptsOf(headers amqp.Table) int {
	var n int64
	switch v := headers[HeaderAttempts].(type) {
	case int64:
		n = v
	case int32:
		n = int64(v)
	case int16:
		n = int64(v)
	case int8:
		n = int64(v)
	case byte:
		n = int64(v)
	case uint16:
		n = int64(v)
	case uint32:
		n = int64(v)
	}
	if n < 0 || n > maxAttempts {
		return 0
	}
	return int(n)
}
