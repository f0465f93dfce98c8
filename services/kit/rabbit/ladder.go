package rabbit

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

// verdict is where a delivery goes whose handler failed.
type verdict struct {
	key      string // of the retry exchange; empty means nowhere: it is done
	attempts int    // failed attempts that count, this one included
	result   string // of the metric
	alert    bool   // somebody must look
}

// ladder decides by the kind of a failure and the attempts before it.
type ladder struct {
	delays []time.Duration
	giveUp bool
}

// judge returns the verdict on the attempt that failed with err. The rung of attempt
// n is the n-th; after the last one a message is set aside, or stays there.
func (l ladder) judge(err error, attempt int) verdict {
	last := DelayKey(l.delays[len(l.delays)-1])
	switch fault.Of(fault.KindOf(err)).Delivery {
	case fault.Acknowledge:
		return verdict{result: "done"}
	case fault.DeadLetter:
		return verdict{key: DeadLetterKey, attempts: attempt, result: "dead_lettered", alert: true}
	case fault.Hold:
		return verdict{key: last, attempts: attempt - 1, result: "postponed"}
	case fault.Retry:
	}
	switch {
	case attempt <= len(l.delays):
		return verdict{key: DelayKey(l.delays[attempt-1]), attempts: attempt, result: "retried"}
	case l.giveUp:
		return verdict{key: DeadLetterKey, attempts: attempt, result: "dead_lettered", alert: true}
	}
	return verdict{key: last, attempts: attempt, result: "retried", alert: true}
}

// soon is the verdict on a message that was held when its consumer was stopped.
func (l ladder) soon(attempt int) verdict {
	return verdict{key: DelayKey(l.delays[0]), attempts: attempt - 1, result: "postponed"}
}

// maxReason bounds the text of a failure in a header, in bytes.
const maxReason = 500

// maxForeign bounds what is kept of a message's other headers, in bytes as counted
// by weight: the frame that carries them has 128 KiB.
const maxForeign = 48 << 10

// copyOf returns a failed delivery as it goes where its verdict sends it. Everything is
// kept that can be: not what would make the broker expire it (expiration), refuse it
// (user_id) or send it elsewhere too (CC, BCC), nor what the broker notes itself
// (x-death and others).
func copyOf(d *amqp.Delivery, queue string, v verdict, notes amqp.Table) *item {
	headers := foreign(d.Headers)
	maps.Copy(headers, notes)
	return &item{
		exchange: RetryExchange(queue),
		key:      v.key,
		body: amqp.Publishing{
			Headers:         headers,
			ContentType:     d.ContentType,
			ContentEncoding: d.ContentEncoding,
			DeliveryMode:    amqp.Persistent,
			CorrelationId:   d.CorrelationId,
			ReplyTo:         d.ReplyTo,
			MessageId:       d.MessageId,
			Timestamp:       d.Timestamp,
			Type:            d.Type,
			AppId:           d.AppId,
			Body:            d.Body,
		},
	}
}

// notes returns the headers that say how a message came to a rung, or to the
// dead-letter queue because of err.
func notes(d *amqp.Delivery, queue string, v verdict, err error) amqp.Table {
	to := origin(d)
	out := amqp.Table{HeaderExchange: to.Name, HeaderKey: to.RoutingKey}
	if v.key != DeadLetterKey {
		out[HeaderAttempts] = int64(v.attempts)
		return out
	}
	out[message.DeadReason] = reason(err)
	out[message.DeadKind] = fault.KindOf(err).String()
	out[message.DeadAttempts] = strconv.Itoa(v.attempts)
	out[message.DeadTime] = time.Now().UTC().Format(time.RFC3339)
	out[message.DeadPlace] = queue
	return out
}

// ours begins the names of all headers that adapters add.
const ours = "parley-"

// bare takes from a copy all that its sender chose but the body and what a
// CloudEvent needs.
func bare(i *item) {
	headers := amqp.Table{}
	for name, value := range i.body.Headers {
		_, text := value.(string)
		if text && strings.HasPrefix(name, message.AMQPPrefix) || strings.HasPrefix(name, ours) {
			headers[name] = value
		}
	}
	i.body = amqp.Publishing{Headers: headers, DeliveryMode: amqp.Persistent, Body: i.body.Body}
}

// reason returns the public text of err, and only that: headers travel.
func reason(err error) string {
	text := fault.Of(fault.KindOf(err)).Title
	var f *fault.Error
	if errors.As(err, &f) && f.Public != "" {
		text = f.Public
	}
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}

// foreign returns the headers of a delivery that may travel on.
func foreign(headers amqp.Table) amqp.Table {
	out := make(amqp.Table, len(headers)+8)
	size := 0
	for name, value := range headers {
		if reserved(name) || len(name) > maxShort {
			continue
		}
		if size += len(name) + weight(value); size > maxForeign {
			return essential(headers)
		}
		out[name] = value
	}
	return out
}

// essential returns the headers that make a message readable, when the whole is too
// large to be sent on. Each is bounded as package message bounds attributes.
func essential(headers amqp.Table) amqp.Table {
	const longest = 1024
	out := amqp.Table{}
	for name, value := range headers {
		text, ok := value.(string)
		if !ok || len(text) > longest || len(out) > 32 {
			continue
		}
		if strings.HasPrefix(name, message.AMQPPrefix) || name == message.TraceParent || name == message.TraceState {
			out[name] = text
		}
	}
	return out
}

func reserved(name string) bool {
	switch name {
	case "CC", "BCC", "x-death", "x-delivery-count", "x-acquired-count", "x-opt-deaths":
		return true
	}
	return strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-") ||
		strings.HasPrefix(name, ours)
}

// weight is at least what a header's value takes in a frame.
func weight(value any) int {
	const fixed = 16
	switch v := value.(type) {
	case string:
		return fixed + len(v)
	case []byte:
		return fixed + len(v)
	case []any:
		sum := fixed
		for _, one := range v {
			sum += weight(one)
		}
		return sum
	case amqp.Table:
		sum := fixed
		for name, one := range v {
			sum += len(name) + weight(one)
		}
		return sum
	}
	return fixed
}
