package config_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

type target struct {
	URL     string        `envconfig:"URL" required:"true" example:"http://host"`
	Timeout time.Duration `envconfig:"TIMEOUT" default:"3s"`
}

func (t target) Validate() error {
	return config.All(config.AtLeast("TIMEOUT", t.Timeout, time.Second))
}

type twoTargets struct {
	First  target `envconfig:"FIRST"`
	Second target `envconfig:"SECOND"`
}

func TestPrefixedPartsDoNotShareVariables(t *testing.T) {
	t.Setenv("FIRST_URL", "http://first")
	t.Setenv("SECOND_URL", "http://second")
	t.Setenv("SECOND_TIMEOUT", "9s")
	t.Setenv("TIMEOUT", "1h") // of another program: must not be read
	var got twoTargets
	if err := config.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := twoTargets{
		First:  target{URL: "http://first", Timeout: 3 * time.Second},
		Second: target{URL: "http://second", Timeout: 9 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrefixedProblemsNameTheWholeVariable(t *testing.T) {
	t.Setenv("FIRST_URL", "http://first")
	t.Setenv("FIRST_TIMEOUT", "1ms")
	var bad *config.Error
	if err := config.Load(&twoTargets{}); !errors.As(err, &bad) {
		t.Fatalf("got %v, want a *config.Error", err)
	}
	got := make([]string, 0, len(bad.Problems))
	for _, p := range bad.Problems {
		got = append(got, p.Variable)
	}
	if diff := cmp.Diff([]string{"SECOND_URL", "FIRST_TIMEOUT"}, got); diff != "" {
		t.Error(diff)
	}
}
