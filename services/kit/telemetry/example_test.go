package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"parley.sh/services/kit/telemetry"
)

func ExampleNewLog() {
	var out bytes.Buffer
	log := telemetry.NewLog(&out, "order", slog.LevelInfo)
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0x0a}, SpanID: trace.SpanID{0x0b},
	}))
	log.InfoContext(ctx, "order placed", "order_id", "0192")

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		panic(err)
	}
	fmt.Println(line["service"], line["msg"], line["order_id"], line["trace_id"])
	// Output: order order placed 0192 0a000000000000000000000000000000
}
