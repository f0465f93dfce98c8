package message

import (
	"fmt"
	"maps"
	"time"

	"parley.sh/services/kit/fault"
)

// The prefixes that the two protocol bindings of CloudEvents 1.0 give attributes.
const (
	KafkaPrefix = "ce_"
	AMQPPrefix  = "cloudEvents_"
)

// SpecVersion is the version of CloudEvents that this package writes and reads.
const SpecVersion = "1.0"

// ContentType is the media type of every message's data.
const ContentType = "application/json"

// MaxData bounds the body of a message in bytes, received or sent. It stays below
// the 1 MiB that a Kafka broker accepts by default for a whole batch.
const MaxData = 900 << 10

// The headers that carry a trace, W3C Trace Context.
const (
	TraceParent = "traceparent"
	TraceState  = "tracestate"
)

// Attributes returns the headers of m in binary mode, each attribute's name behind
// prefix. The map is the caller's.
func (m Message) Attributes(prefix string) map[string]string {
	h := make(map[string]string, 8+len(m.Headers))
	maps.Copy(h, m.Headers)
	h[prefix+"id"] = m.ID
	h[prefix+"source"] = m.Source
	h[prefix+"type"] = m.Type
	h[prefix+"specversion"] = SpecVersion
	h[prefix+"time"] = m.Time.UTC().Format(time.RFC3339Nano)
	if m.Subject != "" {
		h[prefix+"subject"] = m.Subject
	}
	if m.DataSchema != "" {
		h[prefix+"dataschema"] = m.DataSchema
	}
	return h
}

// Validate reports what would make Parse refuse m on the other side, so that a
// publisher refuses it first. The error is Invalid and names the attribute. It
// does not look at the address: that is the adapter's.
func (m Message) Validate() error {
	if !writable(m.Time) {
		return fault.New(fault.Invalid, "attribute time must be set, up to the year 9999")
	}
	for _, a := range [...]attributeText{
		{"id", m.ID, true},
		{"source", m.Source, true},
		{"type", m.Type, true},
		{"subject", m.Subject, false},
		{"dataschema", m.DataSchema, false},
	} {
		if err := a.check("attribute "); err != nil {
			return err
		}
	}
	if len(m.Data) > MaxData {
		return fault.Newf(fault.Invalid, "data must be at most %d bytes", MaxData)
	}
	return nil
}

// Parse reads a message from the headers of its binary mode. It requires id,
// source, type, time and a specversion of 1.x, and bounds the length of each; an
// error is Invalid and names the header. Headers that are neither attributes nor
// a trace are dropped. Parse does not read data: see package contract.
func Parse(prefix string, headers map[string]string, data []byte) (Message, error) {
	m := Message{
		ID:         headers[prefix+"id"],
		Source:     headers[prefix+"source"],
		Type:       headers[prefix+"type"],
		Subject:    headers[prefix+"subject"],
		DataSchema: headers[prefix+"dataschema"],
		Data:       data,
	}
	if err := checkAttributes(prefix, headers); err != nil {
		return m, err
	}
	at, err := time.Parse(time.RFC3339Nano, headers[prefix+"time"])
	if err != nil || !writable(at) {
		return m, fault.Newf(fault.Invalid, "header %stime must be an RFC 3339 time", prefix)
	}
	m.Time = at.UTC()
	if len(data) > MaxData {
		return m, fault.Newf(fault.Invalid, "data must be at most %d bytes", MaxData)
	}
	for _, name := range []string{TraceParent, TraceState} {
		if v := headers[name]; v != "" && len(v) <= maxAttribute && printable(v) {
			if m.Headers == nil {
				m.Headers = make(map[string]string, 2)
			}
			m.Headers[name] = v
		}
	}
	return m, nil
}

// maxAttribute bounds an attribute in bytes, so that no sender can fill an index
// or a log line.
const maxAttribute = 512

// writable reports whether RFC 3339 can write t in UTC. The zero time is none.
func writable(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && year >= 0 && year <= 9999
}

// attributeText is one attribute as text.
type attributeText struct {
	name, value string
	required    bool
}

func (a attributeText) check(prefix string) error {
	if a.value == "" && a.required {
		return fault.Newf(fault.Invalid, "%s%s is required", prefix, a.name)
	}
	if len(a.value) > maxAttribute || !printable(a.value) {
		return fault.Wrap(fault.Invalid, fmt.Errorf("%d bytes", len(a.value)),
			fmt.Sprintf("%s%s must be at most %d printable characters", prefix, a.name, maxAttribute))
	}
	return nil
}

func checkAttributes(prefix string, headers map[string]string) error {
	for _, name := range [...]string{"id", "source", "type", "time", "specversion", "subject", "dataschema"} {
		a := attributeText{name, headers[prefix+name], name != "subject" && name != "dataschema"}
		if err := a.check("header " + prefix); err != nil {
			return err
		}
	}
	if v := headers[prefix+"specversion"]; len(v) < 2 || v[:2] != "1." {
		return fault.Newf(fault.Invalid, "header %sspecversion must be 1.x", prefix)
	}
	return nil
}

// printable reports whether s is ASCII without control characters: ids, names and
// times need no more, and PostgreSQL refuses a NUL.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
