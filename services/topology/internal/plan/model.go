package plan

import (
	"strconv"
	"strings"
)

// Kind is the kind of a broker's object.
type Kind string

// The kinds of objects.
const (
	KindTopic    Kind = "topic"
	KindExchange Kind = "exchange"
	KindPolicy   Kind = "policy"
	KindQueue    Kind = "queue"
	KindBinding  Kind = "binding"
)

// ID names one object of a broker. It is comparable.
type ID struct {
	Kind  Kind   `json:"kind"`
	Vhost string `json:"vhost,omitempty"`
	Name  string `json:"name"`
}

// String is the kind and the name, and the vhost unless it is "/".
func (id ID) String() string {
	s := string(id.Kind) + " " + label(id.Name)
	if id.Kind == KindBinding {
		s = string(id.Kind) + " " + id.Name
	}
	if id.Vhost == "" || id.Vhost == "/" {
		return s
	}
	return s + " in vhost " + label(id.Vhost)
}

// label is s, quoted if it could be misread: if it is anything but plain ASCII
// without spaces, brackets and quotes.
func label(s string) string {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"\\[]{}", c) >= 0 {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// Object is an object of a broker: a Topic, Exchange, Policy, Queue or Binding.
type Object interface {
	// ID names the object.
	ID() ID
}

// Topic is a topic of Kafka as it should be.
type Topic struct {
	Name string
	// Partitions of a topic; 0 means the broker's default, and then as it is.
	Partitions int32
	// Replicas of each partition; 0 means the broker's default, and then as it is.
	Replicas int16
	// Config holds the values to set.
	Config map[string]string
}

// ID implements Object.
func (t *Topic) ID() ID { return ID{Kind: KindTopic, Name: t.Name} }

// Exchange is an exchange of RabbitMQ.
type Exchange struct {
	Vhost, Name, Type             string
	Durable, AutoDelete, Internal bool
	Arguments                     map[string]any
}

// ID implements Object.
func (e *Exchange) ID() ID { return ID{KindExchange, e.Vhost, e.Name} }

// Policy is a policy of RabbitMQ: settings for all objects whose name its
// pattern matches. The one of highest priority alone applies to an object.
type Policy struct {
	Vhost, Name, Pattern string
	// ApplyTo is queues, classic_queues, quorum_queues, streams, exchanges or all.
	ApplyTo    string
	Priority   int64
	Definition map[string]any
}

// ID implements Object.
func (p *Policy) ID() ID { return ID{KindPolicy, p.Vhost, p.Name} }

// Queue is a queue of RabbitMQ.
type Queue struct {
	Vhost, Name         string
	Durable, AutoDelete bool
	// Arguments include x-queue-type.
	Arguments map[string]any
}

// ID implements Object.
func (q *Queue) ID() ID { return ID{KindQueue, q.Vhost, q.Name} }

// Binding is a way from an exchange to a queue or to another exchange.
type Binding struct {
	Vhost, Source string
	// Destination and its kind: KindQueue or KindExchange.
	Destination     string
	DestinationKind Kind
	RoutingKey      string
	Arguments       map[string]any
}

// ID implements Object. It tells any two bindings apart that the broker does.
func (b *Binding) ID() ID {
	name := label(b.Source) + " -> " + string(b.DestinationKind) + " " + label(b.Destination)
	if b.RoutingKey != "" {
		name += " [" + label(b.RoutingKey) + "]"
	}
	if len(b.Arguments) > 0 {
		name += " " + canonical(b.Arguments)
	}
	return ID{KindBinding, b.Vhost, name}
}

// destination is the ID of what b leads to.
func (b *Binding) destination() ID { return ID{b.DestinationKind, b.Vhost, b.Destination} }

// source is the ID of the exchange that b comes from.
func (b *Binding) source() ID { return ID{KindExchange, b.Vhost, b.Source} }
