package rest_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/rest"
)

func TestEachAttemptIsAClientSpanOfTheCallersTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	var sent []string
	c := rest.New(config(), rest.Options{
		Name: "target", TracerProvider: provider,
		Transport: transport(func(req *http.Request) (*http.Response, error) {
			sent = append(sent, req.Header.Get("Traceparent"))
			return reply(500+100*(1-len(sent))*3, ""), nil // 500, then 200
		}),
	})
	ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://user:pass@target:81/x?secret=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := discard(c.Do(req)); got != 200 {
		t.Fatalf("got %d", got)
	}
	ended := spans.Ended()
	if len(ended) != 2 || len(sent) != 2 {
		t.Fatalf("%d spans and %d requests, want two of each", len(ended), len(sent))
	}
	for i, s := range ended {
		sc := s.SpanContext()
		if want := "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01"; sent[i] != want {
			t.Errorf("request %d had traceparent %q, want %q", i+1, sent[i], want)
		}
		if s.Parent().SpanID() != parent.SpanContext().SpanID() || s.SpanKind() != trace.SpanKindClient {
			t.Errorf("span %d: parent %v, kind %v", i+1, s.Parent().SpanID(), s.SpanKind())
		}
	}
	if s := ended[0].Status().Code; s != codes.Error {
		t.Errorf("the failed attempt has status %v", s)
	}
	got := map[string]string{}
	for _, a := range ended[1].Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	want := map[string]string{
		"http.request.method": "GET", "server.address": "target", "server.port": "81",
		"url.full": "http://target:81/x", "peer.service": "target",
		"http.request.resend_count": "1", "http.response.status_code": "200",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A service whose own spans are off still passes its caller's trace on.
func TestTheTracePassesThroughWithoutASpan(t *testing.T) {
	t.Parallel()
	var sent string
	c, _ := faked(transport(func(req *http.Request) (*http.Response, error) {
		sent = req.Header.Get("Traceparent")
		return reply(200, ""), nil
	}))
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
	_ = discard(get(ctx, t, c))
	if want := "00-01000000000000000000000000000000-0200000000000000-01"; sent != want {
		t.Errorf("got %q, want %q", sent, want)
	}
}
