package config_test

import (
	"testing"
	"time"

	"parley.sh/services/kit/config"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		good bool
	}{
		"at least, equal":      {config.AtLeast("V", 3, 3), true},
		"at least, less":       {config.AtLeast("V", 2*time.Second, 3*time.Second), false},
		"between, ends":        {config.All(config.Between("V", 1, 1, 3), config.Between("V", 3, 1, 3)), true},
		"between, below":       {config.Between("V", 0.9, 1, 3), false},
		"between, above":       {config.Between("V", 4, 1, 3), false},
		"one of, known":        {config.OneOf("V", "b", "a", "b"), true},
		"one of, unknown":      {config.OneOf("V", "c", "a", "b"), false},
		"url":                  {config.URL("V", "https://host:1/path", "http", "https"), true},
		"url, other scheme":    {config.URL("V", "ftp://host", "http"), false},
		"url, no host":         {config.URL("V", "http:path", "http"), false},
		"url, not one":         {config.URL("V", "http://%zz", "http"), false},
		"address":              {config.Address("V", "127.0.0.1:80"), true},
		"address, all hosts":   {config.Address("V", ":8080"), true},
		"address, no port":     {config.Address("V", "host"), false},
		"address, empty port":  {config.Address("V", "host:"), false},
		"address, not a port":  {config.Address("V", ":99999"), false},
		"all, one of them bad": {config.All(nil, config.AtLeast("V", 1, 2)), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if (tc.err == nil) != tc.good {
				t.Errorf("err = %v, want good = %v", tc.err, tc.good)
			}
		})
	}
}
