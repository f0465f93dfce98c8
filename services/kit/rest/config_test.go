package rest_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	kit "parley.sh/services/kit/config"
	"parley.sh/services/kit/rest"
)

type twoTargets struct {
	Inventory rest.Config `envconfig:"INVENTORY"`
	Carrier   rest.Config `envconfig:"CARRIER"`
}

func TestTheEnvironmentsDefaultsAreTheDefaults(t *testing.T) {
	t.Setenv("INVENTORY_URL", "http://inventory-service:8080")
	t.Setenv("CARRIER_URL", "http://127.0.0.1:8090")
	t.Setenv("CARRIER_ATTEMPTS", "1")
	var got twoTargets
	if err := kit.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := twoTargets{rest.DefaultConfig("http://inventory-service:8080"), rest.DefaultConfig("http://127.0.0.1:8090")}
	want.Carrier.Attempts = 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryBadValueIsNamed(t *testing.T) {
	t.Parallel()
	bad := rest.Config{
		URL: "inventory:8080", RetryPause: -1, RetryPauseMax: -2, RetryShare: 2, RetryBurst: -1, HedgeAfter: -1,
		BreakerShare: -1, MaxWait: -1, MaxResponse: -1, ConnectionAge: -1,
	}
	err := bad.Validate()
	got := map[string]bool{}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v", err)
	}
	for _, one := range joined.Unwrap() {
		var p *kit.Problem
		if !errors.As(one, &p) {
			t.Fatalf("got %v", one)
		}
		got[p.Variable] = true
	}
	for _, want := range []string{
		"URL", "TIMEOUT", "ATTEMPT_TIMEOUT", "CONNECT_TIMEOUT", "ATTEMPTS", "RETRY_PAUSE", "RETRY_PAUSE_MAX", "RETRY_SHARE",
		"RETRY_BURST", "HEDGE_AFTER", "BREAKER_SHARE", "BREAKER_CALLS", "BREAKER_WINDOW", "BREAKER_PAUSE", "BREAKER_PROBES",
		"MAX_IN_FLIGHT", "MAX_WAIT", "MAX_RESPONSE", "IDLE_TIMEOUT", "CONNECTION_AGE",
	} {
		if !got[want] {
			t.Errorf("%s is not named", want)
		}
	}
	if err := rest.DefaultConfig("http://target").Validate(); err != nil {
		t.Errorf("the defaults are invalid: %v", err)
	}
}
