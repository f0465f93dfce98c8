package config_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

// broker is a part as a package of the kit has one.
type broker struct {
	// Addrs are where it is.
	Addrs []string `envconfig:"TEST_BROKERS" required:"true" example:"kafka:9092"`
	// Password opens it.
	Password config.Secret `envconfig:"TEST_PASSWORD"`
}

func (b broker) Validate() error {
	if len(b.Addrs) > 2 {
		return config.Invalid("TEST_BROKERS", "has too many entries", "give two")
	}
	return nil
}

type base struct {
	Level slog.Level `envconfig:"TEST_LEVEL" default:"INFO"`
}

type settings struct {
	Base   base
	Broker broker

	Timeout time.Duration   `envconfig:"TEST_TIMEOUT" default:"30s"`
	Size    int32           `envconfig:"TEST_SIZE" default:"10"`
	Count   uint8           `envconfig:"TEST_COUNT" default:"1"`
	Ratio   float64         `envconfig:"TEST_RATIO" default:"0.5"`
	On      bool            `envconfig:"TEST_ON" default:"true"`
	Delays  []time.Duration `envconfig:"TEST_DELAYS" default:"1s,5s"`
	Shares  map[string]int  `envconfig:"TEST_SHARES"`
	URL     string          `envconfig:"TEST_URL"`
	Kept    string          `ignored:"true"`
}

func (s settings) Validate() error {
	return config.All(
		config.AtLeast("TEST_TIMEOUT", s.Timeout, time.Second),
		config.Between("TEST_SIZE", s.Size, 1, 100),
	)
}

func TestLoad(t *testing.T) {
	t.Setenv("TEST_BROKERS", "a:1,b:2")
	t.Setenv("TEST_TIMEOUT", "2m")
	t.Setenv("TEST_SHARES", "x:1,y:2")
	got := settings{Kept: "as it was"}
	if err := config.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Broker:  broker{Addrs: []string{"a:1", "b:2"}},
		Timeout: 2 * time.Minute, Size: 10, Count: 1, Ratio: 0.5, On: true,
		Delays: []time.Duration{time.Second, 5 * time.Second},
		Shares: map[string]int{"x": 1, "y": 2}, Kept: "as it was",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadNamesEveryProblemAndNoValue(t *testing.T) {
	const value = "hunter2-is-no-setting"
	for _, name := range []string{
		"TEST_LEVEL", "TEST_TIMEOUT", "TEST_SIZE", "TEST_COUNT", "TEST_RATIO", "TEST_ON", "TEST_DELAYS", "TEST_SHARES",
	} {
		t.Setenv(name, value)
	}
	var got settings
	err := config.Load(&got)
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("err = %v, want a *config.Error", err)
	}
	var names []string
	for _, p := range bad.Problems {
		names = append(names, p.Variable)
		if p.What == "" || p.Fix == "" {
			t.Errorf("%s: the problem or the fix is missing", p.Variable)
		}
	}
	want := []string{
		"TEST_LEVEL", "TEST_BROKERS", "TEST_TIMEOUT", "TEST_SIZE", "TEST_COUNT", "TEST_RATIO", "TEST_ON",
		"TEST_DELAYS", "TEST_SHARES",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), value) {
		t.Errorf("the error repeats a value:\n%v", err)
	}
}

func TestLoadProblems(t *testing.T) {
	tests := map[string]struct {
		set  map[string]string
		want config.Problem
	}{
		"missing": {
			want: config.Problem{Variable: "TEST_BROKERS", What: "is not set", Fix: "set it, for example to kafka:9092"},
		},
		"empty": {
			set:  map[string]string{"TEST_BROKERS": ""},
			want: config.Problem{Variable: "TEST_BROKERS", What: "is not set", Fix: "set it, for example to kafka:9092"},
		},
		"no unit": {
			set: map[string]string{"TEST_BROKERS": "a:1", "TEST_TIMEOUT": "30"},
			want: config.Problem{
				Variable: "TEST_TIMEOUT", What: "is not a duration",
				Fix: "give a number with a unit, such as 500ms, 30s or 2m, or leave it unset for 30s",
			},
		},
		"overflow": {
			set: map[string]string{"TEST_BROKERS": "a:1", "TEST_SIZE": "99999999999"},
			want: config.Problem{
				Variable: "TEST_SIZE", What: "is out of range", Fix: "give a whole number, or leave it unset for 10",
			},
		},
		"refused by the whole": {
			set:  map[string]string{"TEST_BROKERS": "a:1", "TEST_TIMEOUT": "10ms"},
			want: config.Problem{Variable: "TEST_TIMEOUT", What: "is too small", Fix: "give 1s or more"},
		},
		"refused by a part": {
			set:  map[string]string{"TEST_BROKERS": "a:1,b:2,c:3"},
			want: config.Problem{Variable: "TEST_BROKERS", What: "has too many entries", Fix: "give two"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for k, v := range tc.set {
				t.Setenv(k, v)
			}
			var got settings
			var problem *config.Problem
			if err := config.Load(&got); !errors.As(err, &problem) {
				t.Fatalf("err = %v, want a problem", err)
			}
			if diff := cmp.Diff(tc.want, *problem); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefusesWhatItCannotFill(t *testing.T) {
	t.Parallel()
	untagged := struct{ Name string }{}
	for name, cfg := range map[string]any{"no pointer": settings{}, "no struct": new(int), "no tag": &untagged} {
		if err := config.Load(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
