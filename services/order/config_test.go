package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

func TestEveryBadVariableIsNamed(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://order@127.0.0.1/parley_order")
	t.Setenv("INVENTORY_URL", "http://inventory-service")
	var good Config
	if err := config.Load(&good); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"STOCK_FALLBACK": "hope", "STOCK_FRESH_WITHIN": "1ms", "STOCK_PARALLEL": "0", "ORDER_DEADLINE": "0s",
		"LEG_TIMEOUT": "10ms", "LEG_TIMEOUT_MAX": "1ns", "SWEEP_INTERVAL": "-1s", "IDEMPOTENCY_KEEP": "1s",
		"PREFER_WAIT_MAX": "1h", "STREAM_TICK": "1ns", "STREAM_HEARTBEAT": "1ms", "INVENTORY_URL": "inventory",
	} {
		t.Setenv(name, value)
	}
	var bad *config.Error
	if err := config.Load(&Config{}); !errors.As(err, &bad) {
		t.Fatalf("got %v, want a *config.Error", err)
	}
	got := map[string]bool{}
	for _, p := range bad.Problems {
		got[p.Variable] = p.Fix != ""
	}
	want := map[string]bool{
		"STOCK_FALLBACK": true, "STOCK_FRESH_WITHIN": true, "STOCK_PARALLEL": true, "ORDER_DEADLINE": true,
		"LEG_TIMEOUT": true, "LEG_TIMEOUT_MAX": true, "SWEEP_INTERVAL": true, "IDEMPOTENCY_KEEP": true,
		"PREFER_WAIT_MAX": true, "STREAM_TICK": true, "STREAM_HEARTBEAT": true, "INVENTORY_URL": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
