// Package message is the seam between the brokers and the services.
//
// A Message is a CloudEvent 1.0 with an address. Both adapters (packages kafka
// and rabbit) carry it in binary mode: attributes as headers, data as the body.
//
//	attribute     Kafka header      AMQP header
//	id            ce_id             cloudEvents_id
//	source        ce_source         cloudEvents_source
//	type          ce_type           cloudEvents_type
//	specversion   ce_specversion    cloudEvents_specversion
//	time          ce_time           cloudEvents_time
//	subject       ce_subject        cloudEvents_subject
//	dataschema    ce_dataschema     cloudEvents_dataschema
//	(content)     content-type      content-type property
//	trace         traceparent, tracestate on both, without prefix
//
// A Handler returns nil when the effect of a message is durable, or an error
// whose fault.Kind decides what becomes of the message. Handlers cannot
// acknowledge: each adapter does so in one function. Delivery is at least once,
// so the effect's transaction begins with inbox.Once.
//
// Timeout, logs, metrics, traces and panics are middleware. Removing duplicates
// is not: it belongs into the transaction of the effect.
package message
