package message_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/message"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change map[string]string
		data   string
		want   func(m *message.Message)
	}{
		"whole":                    {},
		"no subject":               {change: map[string]string{"ce_subject": ""}, want: func(m *message.Message) { m.Subject = "" }},
		"a later 1.x":              {change: map[string]string{"ce_specversion": "1.1"}},
		"another header":           {change: map[string]string{"x-other": "value"}},
		"an unknown attribute":     {change: map[string]string{"ce_extension": "value"}},
		"time elsewhere":           {change: map[string]string{"ce_time": "2026-11-23T13:30:15.123456789+01:00"}},
		"an oversized traceparent": {change: map[string]string{"traceparent": strings.Repeat("0", 600)}},
		"a trace": {
			change: map[string]string{"traceparent": "00-1-2-01", "tracestate": "a=b"},
			want: func(m *message.Message) {
				m.Headers = map[string]string{"traceparent": "00-1-2-01", "tracestate": "a=b"}
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := sample().Attributes(message.KafkaPrefix)
			maps.Copy(headers, tc.change)
			want := sample()
			if tc.want != nil {
				tc.want(&want)
			}
			got, err := message.Parse(message.KafkaPrefix, headers, want.Data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header, value string
		data          int
	}{
		"no id":            {header: "ce_id"},
		"no source":        {header: "ce_source"},
		"no type":          {header: "ce_type"},
		"no time":          {header: "ce_time"},
		"no specversion":   {header: "ce_specversion"},
		"another version":  {header: "ce_specversion", value: "0.3"},
		"a short version":  {header: "ce_specversion", value: "1"},
		"no such time":     {header: "ce_time", value: "yesterday"},
		"a long id":        {header: "ce_id", value: strings.Repeat("i", 513)},
		"a long subject":   {header: "ce_subject", value: strings.Repeat("s", 513)},
		"a NUL":            {header: "ce_subject", value: "a\x00b"},
		"a line break":     {header: "ce_type", value: "a\nb"},
		"not ASCII":        {header: "ce_source", value: "zażółć"},
		"too much data":    {header: "ce_subject", value: "s", data: message.MaxData + 1},
		"a bad dataschema": {header: "ce_dataschema", value: "\x7f"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := sample().Attributes(message.KafkaPrefix)
			headers[tc.header] = tc.value
			_, err := message.Parse(message.KafkaPrefix, headers, make([]byte, tc.data))
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("err = %v, want Invalid", err)
			}
		})
	}
}

// TestRoundTrip: every valid message is read back as it was.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage().Draw(t, "message")
		if err := m.Validate(); err != nil {
			t.Fatalf("a valid message is refused: %v", err)
		}
		for _, prefix := range prefixes {
			got, err := message.Parse(prefix, m.Attributes(prefix), m.Data)
			if err != nil {
				t.Fatalf("Validate let through what Parse refuses: %v", err)
			}
			if diff := cmp.Diff(m, got); diff != "" {
				t.Fatalf("message (-sent +parsed):\n%s", diff)
			}
		}
	})
}

// anyMessage draws valid messages.
func anyMessage() *rapid.Generator[message.Message] {
	text, optional := rapid.StringMatching(`[ -~]{1,40}`), rapid.StringMatching(`[ -~]{0,40}`)
	return rapid.Custom(func(t *rapid.T) message.Message {
		m := message.Message{
			ID:         text.Draw(t, "id"),
			Type:       text.Draw(t, "type"),
			Source:     text.Draw(t, "source"),
			Subject:    optional.Draw(t, "subject"),
			DataSchema: optional.Draw(t, "dataschema"),
			Time:       time.Unix(0, rapid.Int64().Draw(t, "time")).UTC(),
			Data:       rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "traced") {
			m.Headers = map[string]string{message.TraceParent: rapid.StringMatching(`[0-9a-f-]{1,55}`).Draw(t, "traceparent")}
		}
		return m
	})
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(m *message.Message){
		"no id":      func(m *message.Message) { m.ID = "" },
		"no type":    func(m *message.Message) { m.Type = "" },
		"no source":  func(m *message.Message) { m.Source = "" },
		"no time":    func(m *message.Message) { m.Time = time.Time{} },
		"far future": func(m *message.Message) { m.Time = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"long past":  func(m *message.Message) { m.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"long id":    func(m *message.Message) { m.ID = strings.Repeat("i", 513) },
		"control":    func(m *message.Message) { m.Subject = "a\x00" },
		"large":      func(m *message.Message) { m.Data = make([]byte, message.MaxData+1) },
	}
	if err := sample().Validate(); err != nil {
		t.Errorf("the sample is refused: %v", err)
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sample()
			change(&m)
			if err := m.Validate(); !fault.Is(err, fault.Invalid) {
				t.Errorf("err = %v, want Invalid", err)
			}
		})
	}
}

// FuzzParse: whatever the bytes, Parse ends with a message that Validate lets
// through or with an Invalid error.
func FuzzParse(f *testing.F) {
	f.Add("id", "order", "OrderPlacedEvent", "2026-11-23T12:00:00Z", "1.0", "subject", "00-1-2-01", []byte("{}"))
	f.Add("", "\x00", "a\nb", "0000-00-00T00:00:00Z", "1.", strings.Repeat("s", 600), "", []byte(nil))
	f.Add("i", "s", "t", "9999-12-31T23:59:59.999999999-23:59", "1.0", "", "\xff", []byte("\xff"))
	f.Add("i", "s", "t", "0000-01-01T00:00:00+23:59", "1.0", "", "", []byte{})
	f.Fuzz(func(t *testing.T, id, source, kind, at, version, subject, trace string, data []byte) {
		headers := map[string]string{
			"ce_id": id, "ce_source": source, "ce_type": kind, "ce_time": at,
			"ce_specversion": version, "ce_subject": subject, "traceparent": trace,
		}
		m, err := message.Parse(message.KafkaPrefix, headers, data)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("err = %v, want Invalid", err)
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("Parse let through what Validate refuses: %v", err)
		}
		again, err := message.Parse(message.KafkaPrefix, m.Attributes(message.KafkaPrefix), m.Data)
		if err != nil {
			t.Fatalf("a parsed message cannot be sent on: %v", err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("message changed on its second way:\n%s", diff)
		}
	})
}
