package rabbit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/topology/internal/broker/address"
	"parley.sh/services/topology/internal/plan"
)

func (s *Session) execute(ctx context.Context, step plan.Step) error {
	switch o := step.Object.(type) {
	case *plan.Exchange:
		return s.put(ctx, step, []string{"exchanges", o.Vhost, o.Name}, exchangeJSON{
			Type: o.Type, Durable: o.Durable, AutoDelete: o.AutoDelete, Internal: o.Internal, Arguments: o.Arguments,
		})
	case *plan.Queue:
		return s.put(ctx, step, []string{"queues", o.Vhost, o.Name}, queueJSON{
			Durable: o.Durable, AutoDelete: o.AutoDelete, Arguments: o.Arguments,
		})
	case *plan.Policy:
		return s.put(ctx, step, []string{"policies", o.Vhost, o.Name}, policyJSON{
			Pattern: o.Pattern, ApplyTo: o.ApplyTo, Priority: o.Priority, Definition: o.Definition,
		})
	case *plan.Binding:
		return s.binding(ctx, step.Op, o)
	}
	return fault.Newf(fault.Internal, "a RabbitMQ has no %s", step.ID.Kind)
}

// put makes, changes or deletes an object that has a path of its own.
func (s *Session) put(ctx context.Context, step plan.Step, path []string, body any) error {
	if step.Op == plan.Delete {
		return s.do(ctx, call{method: http.MethodDelete, path: path, absent: true})
	}
	return s.do(ctx, call{method: http.MethodPut, path: path, body: body})
}

func (s *Session) binding(ctx context.Context, op plan.Op, b *plan.Binding) error {
	to := "q"
	if b.DestinationKind == plan.KindExchange {
		to = "e"
	}
	path := []string{"bindings", b.Vhost, "e", b.Source, to, b.Destination}
	if op == plan.Delete {
		return s.unbind(ctx, path, b)
	}
	return s.do(ctx, call{method: http.MethodPost, path: path, body: bindingJSON{
		RoutingKey: b.RoutingKey, Arguments: b.Arguments,
	}})
}

// unbind finds the name that the broker gave the binding, and deletes it by that.
func (s *Session) unbind(ctx context.Context, path []string, b *plan.Binding) error {
	var list []bindingJSON
	if err := s.do(ctx, call{method: http.MethodGet, path: path, out: &list, absent: true}); err != nil {
		return err
	}
	for _, have := range list {
		have.Source, have.Destination, have.DestinationType = b.Source, b.Destination, string(b.DestinationKind)
		found := have.binding(b.Vhost)
		if found.ID() == b.ID() {
			return s.do(ctx, call{method: http.MethodDelete, path: append(path, have.PropertiesKey), absent: true})
		}
	}
	return nil
}

// deleteEmpty deletes a queue that holds nothing and that nobody reads.
func (s *Session) deleteEmpty(ctx context.Context, step plan.Step) error {
	q, ok := step.Object.(*plan.Queue)
	if !ok || step.Op != plan.Delete {
		return fault.Newf(fault.Internal, "only a queue can be deleted while it is empty, not %s", step.Key)
	}
	messages, consumers, err := s.count(q)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if messages > 0 || consumers > 0 {
		return fault.Newf(fault.Invalid, "it has %d messages and %d consumers, and is deleted only while it is empty: "+
			"stop what reads it, let it drain or purge it, and apply again", messages, consumers)
	}
	return s.execute(ctx, step)
}

// count asks over AMQP, which does not lag, how many messages are ready and how
// many consumers there are. What consumers hold is theirs: none, none is held.
func (s *Session) count(q *plan.Queue) (messages, consumers int, err error) {
	c, err := s.connect(q.Vhost)
	if err != nil {
		return 0, 0, err
	}
	channel, err := c.Channel()
	if err != nil {
		return 0, 0, s.amqpFault(err)
	}
	defer func() { _ = channel.Close() }()
	state, err := channel.QueueDeclarePassive(q.Name, q.Durable, q.AutoDelete, false, false, nil)
	if err != nil {
		return 0, 0, s.amqpFault(err)
	}
	return state.Messages, state.Consumers, nil
}

func (s *Session) connect(vhost string) (*amqp.Connection, error) {
	if c := s.amqp[vhost]; c != nil && !c.IsClosed() {
		return c, nil
	}
	c, err := dial(s.address, s.password(), vhost)
	if err != nil {
		return nil, s.amqpFault(err)
	}
	s.amqp[vhost] = c
	return c, nil
}

func dial(a address.Address, password, vhost string) (*amqp.Connection, error) {
	tls, err := a.TLSConfig()
	if err != nil {
		return nil, err
	}
	scheme := "amqp"
	if a.TLS {
		scheme = "amqps"
	}
	target := url.URL{Scheme: scheme, Host: a.Hosts[0]}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("topology")
	return amqp.DialConfig(target.String(), amqp.Config{
		Vhost: vhost, SASL: []amqp.Authentication{&amqp.PlainAuth{Username: a.User, Password: password}},
		TLSClientConfig: tls, Properties: properties, Dial: amqp.DefaultDial(dialTimeout),
	})
}

func (s *Session) amqpFault(err error) error {
	var refused *amqp.Error
	var network net.Error
	switch {
	case errors.As(err, &refused) && refused.Code == amqp.NotFound:
		return fault.Wrap(fault.NotFound, err, "")
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("user %s may not look at it over AMQP: give it the rights on the vhost",
			s.address.User))
	case errors.As(err, &network):
		return fault.Wrap(fault.Unavailable, err, "the broker at "+s.address.Hosts[0]+" cannot be reached over AMQP")
	}
	return fault.Wrap(fault.Unavailable, err, "look over AMQP whether the queue is empty")
}
