package v1alpha1

import (
	"fmt"
	"slices"
	"time"
)

// The names of what a queue brings with it.
const (
	// KeyDeadLetter is the routing key of a retry exchange that reaches the
	// dead-letter queue.
	KeyDeadLetter = "dlq"

	suffixRetry    = ".retry"
	suffixDead     = ".dlq"
	suffixPolicy   = ".policy"
	suffixExchange = ".exchange.policy"
)

// RetryExchange is the name of the direct exchange that belongs to a queue: a
// failed message is published to it under a delay or under KeyDeadLetter.
func RetryExchange(queue string) string { return queue + suffixRetry }

// Rung is the name of the queue that holds a message for a delay.
func Rung(queue string, delay Duration) string { return queue + suffixRetry + "." + string(delay) }

// DeadLetterQueue is the name of the queue that holds what was given up.
func DeadLetterQueue(queue string) string { return queue + suffixDead }

// QueuePolicy is the name of the policy that is generated for a queue.
func QueuePolicy(queue string) string { return queue + suffixPolicy }

// ExchangePolicy is the name of the policy that is generated for an exchange.
func ExchangePolicy(exchange string) string { return exchange + suffixExchange }

// Problems implements Object.
func (q *Queue) Problems() []Problem {
	p := &problems{}
	p.meta(q)
	s := &q.Spec
	p.brokerRef(s.BrokerRef, BrokerRabbitMQ, BrokerAddress)
	p.lifecycle(s.Lifecycle)
	p.text("spec.vhost", s.Vhost)
	p.amqpName(nameField(s.Name), q.QueueName(), q.longestSuffix())
	p.enum("spec.type", string(s.Type), string(Quorum), string(Classic), string(Stream))
	p.enum("spec.overflow", string(s.Overflow), string(DropHead), string(RejectPublish))
	p.enum("spec.policy", string(s.Policy), string(Generated), string(NoPolicy))
	p.enum("spec.replacePolicy", string(s.ReplacePolicy), string(ReplaceNever), string(ReplaceIfEmpty))
	p.queueType(q)
	p.queueLimits(s)
	p.queuePolicy(s)
	p.queueArguments(s)
	p.bindings(s.Bindings)
	p.names("spec.unmanagedExchanges", s.UnmanagedExchanges, 64)
	p.unmanagedBindings(s.Bindings, s.UnmanagedExchanges)
	p.retry(s)
	return p.list
}

func (q *Queue) longestSuffix() int {
	longest := len(suffixPolicy)
	if q.Spec.Retry == nil {
		return longest
	}
	for _, d := range q.Spec.Retry.Delays {
		longest = max(longest, len(suffixRetry)+1+len(d))
	}
	return longest
}

func nameField(name string) string {
	if name == "" {
		return "metadata.name"
	}
	return "spec.name"
}

// queueType checks what a type cannot do.
func (p *problems) queueType(q *Queue) {
	s, t := &q.Spec, q.QueueType()
	stream, classic := t == Stream, t == Classic
	p.when(!classic && s.Durable != nil && !*s.Durable, "spec.durable", "is false; a %s queue is durable: leave it out", t)
	p.when(!classic && s.AutoDelete, "spec.autoDelete", "is true; only a classic queue deletes itself: leave it out")
	p.when(stream && s.SingleActiveConsumer, "spec.singleActiveConsumer", "is true; a stream has none: leave it out")
	p.when(stream && s.MessageTTL != "", "spec.messageTTL", "is set; a stream forgets by size and age (argument x-max-age)")
	p.when(stream && s.MaxLength != nil, "spec.maxLength", "is set; a stream is limited by spec.maxBytes")
	p.when(stream && s.Overflow != "", "spec.overflow", "is set; a stream always forgets its oldest: leave it out")
	p.when(stream && s.DeadLetter != nil, "spec.deadLetter", "is set; a stream cannot dead-letter: leave it out")
	p.when(stream && s.Retry != nil, "spec.retry", "is set; a stream cannot retry: leave it out")
	p.when(t != Quorum && s.DeliveryLimit != nil, "spec.deliveryLimit",
		"is set; only a quorum queue counts deliveries: leave it out")
}

func (p *problems) queueLimits(s *QueueSpec) {
	if s.MessageTTL != "" {
		p.duration("spec.messageTTL", s.MessageTTL)
	}
	p.when(s.MaxLength != nil && *s.MaxLength < 0, "spec.maxLength", "must be 0 or more; leave it out for no limit")
	p.when(s.MaxBytes != nil && (s.MaxBytes.Sign() < 0 || !wholeBytes(s)), "spec.maxBytes",
		"must be a whole number of bytes below 2^63, such as 512Mi")
	p.when(s.DeliveryLimit != nil && (*s.DeliveryLimit < -1 || *s.DeliveryLimit > 1000000), "spec.deliveryLimit",
		"must be -1 (for ever) to 1000000")
	p.when(s.DeadLetter != nil && s.Overflow == DropHead, "spec.overflow",
		"is drop-head beside spec.deadLetter; at-least-once dead-lettering needs reject-publish: leave it out")
}

func wholeBytes(s *QueueSpec) bool {
	n, ok := s.MaxBytes.AsInt64()
	return ok && n >= 0
}

// queuePolicy: with policy None there is nothing to write these settings to.
func (p *problems) queuePolicy(s *QueueSpec) {
	if s.Policy != NoPolicy {
		return
	}
	const rule = "is set with spec.policy None, which writes no policy: leave it out or use Generated"
	p.when(s.MessageTTL != "", "spec.messageTTL", rule)
	p.when(s.MaxLength != nil, "spec.maxLength", rule)
	p.when(s.MaxBytes != nil, "spec.maxBytes", rule)
	p.when(s.Overflow != "", "spec.overflow", rule)
	p.when(s.DeliveryLimit != nil, "spec.deliveryLimit", rule)
}

// queueArguments refuses what has a field and is given there too.
func (p *problems) queueArguments(s *QueueSpec) {
	p.arguments("spec.arguments", s.Arguments, 32)
	given := map[string]bool{
		"x-message-ttl":             s.MessageTTL != "",
		"x-max-length":              s.MaxLength != nil,
		"x-max-length-bytes":        s.MaxBytes != nil,
		"x-overflow":                s.Overflow != "" || s.DeadLetter != nil,
		"x-delivery-limit":          s.DeliveryLimit != nil,
		"x-single-active-consumer":  s.SingleActiveConsumer,
		"x-dead-letter-exchange":    s.DeadLetter != nil,
		"x-dead-letter-routing-key": s.DeadLetter != nil,
		"x-dead-letter-strategy":    s.DeadLetter != nil,
	}
	for _, key := range sortedKeys(s.Arguments) {
		at := "spec.arguments[" + brief(key) + "]"
		p.when(key == "x-queue-type", at, "has a field of its own: use spec.type")
		p.when(given[key], at, "is given by a field of spec too: leave it out here")
	}
}

func (p *problems) unmanagedBindings(list []Binding, unmanaged []string) {
	for i := range list {
		p.when(slices.Contains(unmanaged, list[i].Exchange), fmt.Sprintf("spec.bindings[%d].exchange", i),
			"is listed in unmanagedExchanges too: its bindings are managed or not, choose one")
	}
}

func (p *problems) retry(s *QueueSpec) {
	if s.Retry == nil {
		return
	}
	p.when(s.DeadLetter == nil, "spec.deadLetter",
		"must be set with spec.retry, for what the last rung does not save: write deadLetter: {}")
	delays := s.Retry.Delays
	p.when(len(delays) == 0, "spec.retry.delays", "is empty; list at least one, or leave spec.retry out")
	p.when(len(delays) > 16, "spec.retry.delays", "has %d entries; it may have 16", len(delays))
	var last time.Duration
	for i, d := range delays {
		at := fmt.Sprintf("spec.retry.delays[%d]", i)
		p.duration(at, d)
		t, ok := d.Parse()
		p.when(ok && t <= last, at, "is %s; each delay must be longer than the one before", d)
		last = max(last, t)
	}
}

func (p *problems) duration(field string, d Duration) {
	_, ok := d.Parse()
	p.when(!ok || len(d) > 16, field,
		"is %q; it must be a whole number and ms, s, m or h, such as 500ms or 2m, and at most 2^32-1 ms", brief(string(d)))
}
