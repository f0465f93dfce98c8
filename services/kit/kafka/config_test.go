package kafka

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

// TestDefaults: the tags, which documentation and config.Load follow, and the zero
// values say the same.
func TestDefaults(t *testing.T) { //nolint:paralleltest // it clears the environment
	for _, name := range []string{"KAFKA_BROKERS", "KAFKA_CLIENT_ID"} {
		if value, set := os.LookupEnv(name); set {
			t.Cleanup(func() { _ = os.Setenv(name, value) }) //nolint:usetesting // there is no t.Unsetenv
			_ = os.Unsetenv(name)
		}
	}
	var loaded Config
	if err := config.Load(&loaded); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Config{}.withDefaults(), loaded); diff != "" {
		t.Errorf("configuration (-zero values +tags):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg  Config
		want []string
	}{
		"nothing set":       {Config{}, nil},
		"a login":           {Config{SASLMechanism: Plain, Username: "u", Password: "p"}, nil},
		"no password":       {Config{SASLMechanism: ScramSHA512, Username: "u"}, []string{"KAFKA_SASL_MECHANISM"}},
		"unknown mechanism": {Config{SASLMechanism: "MAGIC", Username: "u", Password: "p"}, []string{"KAFKA_SASL_MECHANISM"}},
		"no CA file":        {Config{CAFile: "/nowhere"}, []string{"KAFKA_CA_FILE"}},
		"no PEM":            {Config{CAFile: notPEM}, []string{"KAFKA_CA_FILE"}},
		"bad addresses":     {Config{Brokers: []string{"ok:1", "nope"}}, []string{"KAFKA_BROKERS"}},
		"several": {
			Config{SessionTimeout: time.Second, Workers: -1, RetryMin: time.Minute},
			[]string{"KAFKA_SESSION_TIMEOUT", "KAFKA_WORKERS", "KAFKA_RETRY_MAX"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, variables(tc.cfg.Validate())); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

// variables lists which variables an error is about.
func variables(err error) []string {
	var names []string
	var one *config.Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			names = append(names, variables(err)...)
		}
	} else if errors.As(err, &one) {
		names = append(names, one.Variable)
	}
	return slices.Compact(names)
}
