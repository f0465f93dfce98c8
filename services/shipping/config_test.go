package main

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

func TestEveryBadVariableIsNamed(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://shipping@127.0.0.1/parley_shipping")
	t.Setenv("CARRIER_URL", "http://carrier")
	var good Config
	if err := config.Load(&good); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"CARRIER_URL": "carrier", "CARRIER_TIMEOUT": "0s", "EXPRESS_LABEL_WORKERS": "0", "STANDARD_LABEL_WORKERS": "1001", "LABEL_TIMEOUT": "10ms",
	}
	for name, value := range want {
		t.Setenv(name, value)
	}
	var bad *config.Error
	if err := config.Load(&Config{}); !errors.As(err, &bad) {
		t.Fatalf("got %v, want a *config.Error", err)
	}
	got := map[string]string{}
	for _, p := range bad.Problems {
		if got[p.Variable] = want[p.Variable]; p.Fix == "" {
			t.Errorf("%s has no fix", p.Variable)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
