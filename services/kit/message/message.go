package message

import (
	"context"
	"time"
)

// Broker names one of the two brokers.
type Broker string

// The brokers.
const (
	Kafka    Broker = "kafka"
	RabbitMQ Broker = "rabbitmq"
)

// Address says where a message goes. On Kafka, Name is the topic and RoutingKey
// is empty; on RabbitMQ, Name is the exchange.
type Address struct {
	Broker     Broker
	Name       string
	RoutingKey string
}

// String returns "broker:name" or "broker:name/key", for logs.
func (a Address) String() string {
	s := string(a.Broker) + ":" + a.Name
	if a.RoutingKey != "" {
		s += "/" + a.RoutingKey
	}
	return s
}

// Message is one event or command. It is a value: adapters and middleware copy
// it, and nobody changes Data or Headers of a message that somebody else holds.
type Message struct {
	// ID is the CloudEvents id: unique per Source, and the identity by which
	// a consumer knows a repetition. A resend keeps it.
	ID string
	// Type is the name of the event or command, such as "OrderPlacedEvent".
	Type string
	// Source is the service that sent it.
	Source string
	// Subject is the id of the entity it is about.
	Subject string
	// Time is when the fact happened, in UTC.
	Time time.Time
	// DataSchema is the URI of the JSON Schema of Data.
	DataSchema string
	// Key is the unit of order: messages of one address and key stay in order
	// where the broker keeps any. It is the Kafka record's key.
	Key string
	// To is the address it is sent to; on receipt, where it was sent to.
	To Address
	// Data is the JSON document. A nil Data is a tombstone of a compacted topic.
	Data []byte
	// Headers are carried beside the attributes: traceparent and tracestate.
	Headers map[string]string
	// Delivery is set on receipt only.
	Delivery Delivery
}

// Delivery says how a message reached its handler.
type Delivery struct {
	// Place is the topic or queue it was read from.
	Place string
	// Partition and Offset are its coordinates on Kafka.
	Partition int32
	Offset    int64
	// Attempt counts from 1 the tries that count: held messages do not spend any.
	Attempt int
}

// Handler handles one message. It returns nil when the effect is durable. It must
// be safe for concurrent use and return soon after ctx has ended.
type Handler func(ctx context.Context, m Message) error

// Middleware wraps a Handler.
type Middleware func(Handler) Handler

// Chain wraps h so that the first middleware is the outermost.
func Chain(h Handler, mw ...Middleware) Handler {
	for i := len(mw) - 1; i >= 0; i-- {
		h = mw[i](h)
	}
	return h
}

// Publisher sends messages and returns when the broker has confirmed all of them,
// or why not. Where only some were confirmed the error is a *PublishError.
// Messages of one key keep their order if nothing fails; a caller that must keep
// order through failures has at most one unconfirmed message per key.
// Implementations are safe for concurrent use.
type Publisher interface {
	Publish(ctx context.Context, messages ...Message) error
}
