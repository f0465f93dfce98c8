package rabbit

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// The limits of the protocol and, for the headers, of one frame with room to
// spare: the broker ends the connection, not the channel, over a header that does
// not fit, which would hit every message in flight.
const (
	maxShort   = 255
	maxHeaders = 64 << 10
)

// item is one message on its way to the broker.
type item struct {
	exchange string
	key      string
	optional bool // may reach no queue
	lane     int
	body     amqp.Publishing

	confirm *amqp.DeferredConfirmation
	decided bool
	err     error // once decided; nil means confirmed
}

func (i *item) decide(err error) { i.decided, i.err = true, err }

// newItem puts a message into the form it is sent in. The error is Invalid.
func newItem(ctx context.Context, m message.Message) (*item, error) {
	if err := checkAddress(m.To); err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.Headers[message.TraceParent] == "" {
		m = message.Inject(ctx, m)
	}
	headers, err := headersOf(m)
	if err != nil {
		return nil, err
	}
	return &item{
		exchange: m.To.Name,
		key:      m.To.RoutingKey,
		body: amqp.Publishing{
			Headers:      headers,
			ContentType:  message.ContentType,
			DeliveryMode: amqp.Persistent,
			MessageId:    short(m.ID),
			Timestamp:    m.Time,
			Type:         short(m.Type),
			AppId:        short(m.Source),
			Body:         m.Data,
		},
	}, nil
}

func checkAddress(to message.Address) error {
	switch {
	case to.Broker != message.RabbitMQ:
		return fault.Newf(fault.Invalid, "the address must be one of %s", message.RabbitMQ)
	case to.Name == "" || len(to.Name) > maxShort:
		return fault.Newf(fault.Invalid, "the address must name an exchange in at most %d bytes", maxShort)
	case len(to.RoutingKey) > maxShort:
		return fault.Newf(fault.Invalid, "the routing key must be at most %d bytes", maxShort)
	}
	return nil
}

func headersOf(m message.Message) (amqp.Table, error) {
	attributes := m.Attributes(message.AMQPPrefix)
	headers := make(amqp.Table, len(attributes))
	size := 0
	for name, value := range attributes {
		if len(name) > maxShort {
			return nil, fault.Newf(fault.Invalid, "a header's name must be at most %d bytes", maxShort)
		}
		size += len(name) + len(value)
		headers[name] = value
	}
	if size > maxHeaders {
		return nil, fault.Newf(fault.Invalid, "headers must be at most %d bytes", maxHeaders)
	}
	return headers, nil
}

// short leaves out what does not fit a property: the header has it whole.
func short(s string) string {
	if len(s) > maxShort {
		return ""
	}
	return s
}
