package message_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley.sh/services/kit/message"
)

var prefixes = map[string]string{"kafka": message.KafkaPrefix, "amqp": message.AMQPPrefix}

func sample() message.Message {
	return message.Message{
		ID:         "01890a5d-ac96-774b-bcce-b302099a8057",
		Type:       "OrderPlacedEvent",
		Source:     "order",
		Subject:    "01890a5d-ac96-774b-bcce-b302099a8058",
		Time:       time.Date(2026, 11, 23, 12, 30, 15, 123_456_789, time.UTC),
		DataSchema: "https://parley.sh/schema/OrderPlacedEvent.v1.json",
		Data:       []byte(`{"name":"Zażółć 日本語"}`),
	}
}

// binary is what a broker carries: the SDK reads and writes it as a protocol
// binding would.
type binary struct {
	prefix  string
	headers map[string]string
	data    []byte
}

func (b *binary) ReadEncoding() binding.Encoding { return binding.EncodingBinary }

func (b *binary) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (b *binary) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	for _, a := range spec.VS.Version(b.headers[b.prefix+"specversion"]).Attributes() {
		name := b.prefix + a.Name()
		if a.Kind() == spec.DataContentType {
			name = "content-type"
		}
		if value := b.headers[name]; value != "" {
			if err := w.SetAttribute(a, value); err != nil {
				return err
			}
		}
	}
	return w.SetData(bytes.NewReader(b.data))
}

func (b *binary) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	a := spec.VS.Version(b.headers[b.prefix+"specversion"]).AttributeFromKind(k)
	return a, b.headers[b.prefix+a.Name()]
}

func (b *binary) GetExtension(string) any { return nil }

func (b *binary) Start(context.Context) error { return nil }
func (b *binary) End(context.Context) error   { return nil }

func (b *binary) SetAttribute(a spec.Attribute, value any) error {
	text, err := types.Format(value)
	if err != nil {
		return err
	}
	name := b.prefix + a.Name()
	if a.Kind() == spec.DataContentType {
		name = "content-type"
	}
	b.headers[name] = text
	return nil
}

func (b *binary) SetExtension(name string, _ any) error {
	return fmt.Errorf("unexpected extension %s", name)
}

func (b *binary) SetData(r io.Reader) (err error) {
	b.data, err = io.ReadAll(r)
	return err
}

// TestToCloudEvent reads our headers with the CloudEvents SDK.
func TestToCloudEvent(t *testing.T) {
	t.Parallel()
	for name, prefix := range prefixes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sample()
			b := &binary{prefix: prefix, headers: m.Attributes(prefix), data: m.Data}
			b.headers["content-type"] = message.ContentType
			e, err := binding.ToEvent(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Validate(); err != nil {
				t.Fatalf("the SDK finds the event invalid: %v", err)
			}
			// DataBase64 is how the SDK would write the data into one JSON document.
			ignore := cmpopts.IgnoreFields(event.Event{}, "DataBase64")
			if diff := cmp.Diff(sdkEvent(t, m), *e, ignore); diff != "" {
				t.Errorf("event (-SDK's own +read from our headers):\n%s", diff)
			}
		})
	}
}

// TestFromCloudEvent reads with Parse what the CloudEvents SDK writes.
func TestFromCloudEvent(t *testing.T) {
	t.Parallel()
	for name, prefix := range prefixes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sdkEvent(t, sample())
			b := &binary{prefix: prefix, headers: map[string]string{}}
			if _, err := binding.Write(t.Context(), binding.ToMessage(&e), nil, b); err != nil {
				t.Fatal(err)
			}
			m, err := message.Parse(prefix, b.headers, b.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sample(), m); diff != "" {
				t.Errorf("message (-sent +parsed):\n%s", diff)
			}
		})
	}
}

// sdkEvent makes the event by the SDK's own setters.
func sdkEvent(t *testing.T, m message.Message) event.Event {
	t.Helper()
	e := event.New(event.CloudEventsVersionV1)
	e.SetID(m.ID)
	e.SetType(m.Type)
	e.SetSource(m.Source)
	e.SetSubject(m.Subject)
	e.SetTime(m.Time)
	e.SetDataSchema(m.DataSchema)
	if err := e.SetData(message.ContentType, m.Data); err != nil {
		t.Fatal(err)
	}
	return e
}
