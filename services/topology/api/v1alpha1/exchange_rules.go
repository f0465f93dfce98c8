package v1alpha1

import "regexp"

var exchangeType = regexp.MustCompile(`^(direct|fanout|topic|headers|x-[a-z0-9-]+)$`)

// Problems implements Object.
func (e *Exchange) Problems() []Problem {
	p := &problems{}
	p.meta(e)
	s := &e.Spec
	p.brokerRef(s.BrokerRef, BrokerRabbitMQ, BrokerAddress)
	p.lifecycle(s.Lifecycle)
	p.text("spec.vhost", s.Vhost)
	suffix := 0
	if s.AlternateExchange != "" {
		suffix = len(suffixExchange)
	}
	p.amqpName(nameField(s.Name), e.ExchangeName(), suffix)
	p.when(s.Type != "" && (!exchangeType.MatchString(s.Type) || len(s.Type) > 64), "spec.type",
		"is %q; it must be direct, fanout, topic, headers or a plugin's x-...", brief(s.Type))
	p.text("spec.alternateExchange", s.AlternateExchange)
	p.when(s.AlternateExchange != "" && s.AlternateExchange == e.ExchangeName(), "spec.alternateExchange",
		"is the exchange itself: name another")
	p.arguments("spec.arguments", s.Arguments, 32)
	_, given := s.Arguments["alternate-exchange"]
	p.when(given, "spec.arguments[alternate-exchange]", "has a field of its own: use spec.alternateExchange")
	p.bindings(s.Bindings)
	p.names("spec.unmanagedExchanges", s.UnmanagedExchanges, 64)
	p.unmanagedBindings(s.Bindings, s.UnmanagedExchanges)
	return p.list
}

// ExchangeType is the type of the exchange, direct if the manifest says none.
func (e *Exchange) ExchangeType() string {
	if e.Spec.Type == "" {
		return "direct"
	}
	return e.Spec.Type
}
