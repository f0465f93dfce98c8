package postgres

import (
	"errors"
	"strings"
	"testing"
	"time"

	"parley.sh/services/kit/config"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		bad    string
	}{
		"as it is":        {func(*Config) {}, ""},
		"key and value":   {func(c *Config) { c.URL = "host=db dbname=order" }, ""},
		"not a URL":       {func(c *Config) { c.URL = "postgres://u:hunter2@h:port/db" }, "DATABASE_URL"},
		"one connection":  {func(c *Config) { c.MaxConns = 1 }, "DATABASE_MAX_CONNS"},
		"no connect time": {func(c *Config) { c.ConnectTimeout = 0 }, "DATABASE_CONNECT_TIMEOUT"},
		"no acquire time": {func(c *Config) { c.AcquireTimeout = 0 }, "DATABASE_ACQUIRE_TIMEOUT"},
		"no statements":   {func(c *Config) { c.StatementTimeout = time.Millisecond }, "DATABASE_STATEMENT_TIMEOUT"},
		"no idling":       {func(c *Config) { c.IdleInTransactionTimeout = 0 }, "DATABASE_IDLE_IN_TRANSACTION_TIMEOUT"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := settings("postgres://order@db/order")
			tc.change(&cfg)
			err := cfg.Validate()
			var p *config.Problem
			errors.As(err, &p)
			if tc.bad == "" && p != nil || tc.bad != "" && (p == nil || p.Variable != tc.bad) {
				t.Errorf("problem = %v, want one of %q", p, tc.bad)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password shows: %v", err)
			}
		})
	}
}

func TestOpenRefusesABadURL(t *testing.T) {
	t.Parallel()
	db, err := Open(settings("postgres://u:hunter2@h:port/db"), Options{Log: new(logbook).log()})
	if err == nil {
		db.Close()
		t.Fatal("opened")
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the password shows: %v", err)
	}
}
