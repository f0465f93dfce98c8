package spec

import (
	"parley.sh/services/topology/api/v1alpha1"
	"parley.sh/services/topology/internal/manifest"
	"parley.sh/services/topology/internal/plan"
)

// deliveryLimit of a queue with a dead-letter queue: it guards against messages
// that kill their consumer, and lost connections count towards it.
const deliveryLimit = 50

func (c *compiler) queue(d manifest.Document, q *v1alpha1.Queue) {
	s := &q.Spec
	w := plan.WantQueue{
		Queue: plan.Queue{
			Vhost: c.vhostOf(s.Vhost), Name: q.QueueName(),
			Durable: s.Durable == nil || *s.Durable, AutoDelete: s.AutoDelete,
			Arguments: queueArguments(q),
		},
		Owner:     owner(d),
		Unmanaged: s.UnmanagedExchanges,
		Replace:   s.ReplacePolicy == v1alpha1.ReplaceIfEmpty,
	}
	if !c.claim(d, w.ID()) {
		return
	}
	f := family(d, &w)
	c.out.Families = append(c.out.Families, f)
	behind := c.behind(d, q, &w)
	w.Policy = c.policy(d, q, &w, behind)
	c.out.Queues = append(c.out.Queues, w)
	c.bind(w.Owner, w.ID(), s.Bindings)
}

func family(d manifest.Document, w *plan.WantQueue) plan.Family {
	return plan.Family{
		Vhost: w.Vhost, Owner: w.Owner, Queue: w.Name, Keep: keeps(d.Object),
		RetryExchange: v1alpha1.RetryExchange(w.Name),
		DeadLetter:    v1alpha1.DeadLetterQueue(w.Name),
		RungPrefix:    v1alpha1.Rung(w.Name, ""),
		Policy:        v1alpha1.QueuePolicy(w.Name),
		Pattern:       pattern(w.Name),
	}
}

func queueArguments(q *v1alpha1.Queue) map[string]any {
	args := arguments(q.Spec.Arguments)
	args["x-queue-type"] = string(q.QueueType())
	if q.Spec.SingleActiveConsumer {
		args["x-single-active-consumer"] = true
	}
	return args
}

// behind asks for what dead-lettering and retrying need behind the queue, and
// returns what the queue's policy leads to.
func (c *compiler) behind(d manifest.Document, q *v1alpha1.Queue, w *plan.WantQueue) []plan.ID {
	if q.Spec.DeadLetter == nil {
		return nil
	}
	e := plan.WantExchange{
		Exchange: plan.Exchange{
			Vhost: w.Vhost, Name: v1alpha1.RetryExchange(w.Name), Type: "direct", Durable: true,
			Arguments: map[string]any{},
		},
		Owner: w.Owner, Generated: true,
	}
	if c.claim(d, e.ID()) {
		c.out.Exchanges = append(c.out.Exchanges, e)
	}
	dead := c.generated(d, w, side{v1alpha1.DeadLetterQueue(w.Name), v1alpha1.KeyDeadLetter, map[string]any{
		"x-queue-type":     string(v1alpha1.Quorum),
		"x-delivery-limit": int64(-1),
	}})
	if q.Spec.Retry != nil {
		for _, delay := range q.Spec.Retry.Delays {
			c.generated(d, w, side{v1alpha1.Rung(w.Name, delay), string(delay), rungArguments(w.Name, delay)})
		}
	}
	return append(dead, e.ID())
}

// rungArguments: without at-least-once a rung loses its message when the queue
// behind it is missing, and that needs reject-publish.
func rungArguments(queue string, delay v1alpha1.Duration) map[string]any {
	return map[string]any{
		"x-queue-type":              string(v1alpha1.Quorum),
		"x-message-ttl":             delay.Milliseconds(),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": queue,
		"x-dead-letter-strategy":    "at-least-once",
		"x-overflow":                "reject-publish",
	}
}

// side is a queue behind a retry exchange, under a key.
type side struct {
	name, key string
	args      map[string]any
}

// generated asks for a queue behind the retry exchange of w.
func (c *compiler) generated(d manifest.Document, w *plan.WantQueue, s side) []plan.ID {
	q := plan.WantQueue{
		Queue: plan.Queue{Vhost: w.Vhost, Name: s.name, Durable: true, Arguments: s.args},
		Owner: w.Owner, Replace: w.Replace, Generated: true,
	}
	b := plan.WantBinding{
		Binding: plan.Binding{
			Vhost: w.Vhost, Source: v1alpha1.RetryExchange(w.Name), Destination: s.name,
			DestinationKind: plan.KindQueue, RoutingKey: s.key, Arguments: map[string]any{},
		},
		Owner: w.Owner, Generated: true,
	}
	if c.claim(d, q.ID()) {
		c.out.Queues = append(c.out.Queues, q)
		c.out.Bindings = append(c.out.Bindings, b)
	}
	return []plan.ID{q.ID(), b.ID()}
}

// policy asks for the policy of a queue and returns its ID; zero for none.
func (c *compiler) policy(d manifest.Document, q *v1alpha1.Queue, w *plan.WantQueue, behind []plan.ID) plan.ID {
	definition := definition(q)
	if q.Spec.Policy == v1alpha1.NoPolicy || len(definition) == 0 {
		return plan.ID{}
	}
	p := plan.WantPolicy{
		Policy: plan.Policy{
			Vhost: w.Vhost, Name: v1alpha1.QueuePolicy(w.Name), Pattern: pattern(w.Name),
			ApplyTo: applyTo[q.QueueType()], Priority: policyPriority, Definition: definition,
		},
		Owner: w.Owner, Target: w.ID(), Needs: behind,
	}
	if c.claim(d, p.ID()) {
		c.out.Policies = append(c.out.Policies, p)
	}
	return p.ID()
}

var applyTo = map[v1alpha1.QueueType]string{
	v1alpha1.Quorum:  "quorum_queues",
	v1alpha1.Classic: "classic_queues",
	v1alpha1.Stream:  "streams",
}

// definition holds the settings of a queue that can be changed later.
func definition(q *v1alpha1.Queue) map[string]any {
	s, out := &q.Spec, map[string]any{}
	if s.MessageTTL != "" {
		out["message-ttl"] = s.MessageTTL.Milliseconds()
	}
	if s.MaxLength != nil {
		out["max-length"] = *s.MaxLength
	}
	if s.MaxBytes != nil {
		out["max-length-bytes"] = s.MaxBytes.Value()
	}
	if s.Overflow != "" {
		out["overflow"] = string(s.Overflow)
	}
	if q.QueueType() == v1alpha1.Quorum {
		limit(q, out)
	}
	if s.DeadLetter != nil {
		deadLetter(q, out)
	}
	return out
}

// limit states the delivery limit: the broker's own of 20 would drop messages. An
// argument that states it comes first.
func limit(q *v1alpha1.Queue, out map[string]any) {
	_, given := q.Spec.Arguments["x-delivery-limit"]
	switch {
	case q.Spec.DeliveryLimit != nil:
		out["delivery-limit"] = int64(*q.Spec.DeliveryLimit)
	case given:
	case q.Spec.DeadLetter != nil:
		out["delivery-limit"] = int64(deliveryLimit)
	default:
		out["delivery-limit"] = int64(-1)
	}
}

func deadLetter(q *v1alpha1.Queue, out map[string]any) {
	out["dead-letter-exchange"] = v1alpha1.RetryExchange(q.QueueName())
	out["dead-letter-routing-key"] = v1alpha1.KeyDeadLetter
	out["overflow"] = string(v1alpha1.RejectPublish)
	if q.QueueType() == v1alpha1.Quorum {
		out["dead-letter-strategy"] = "at-least-once"
	}
}
