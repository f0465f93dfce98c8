package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/config"
)

const password = "hunter2"

func TestSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	secret := config.Secret(password)
	held := struct{ Password config.Secret }{secret}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08.3f", "%T"} {
		shown = append(shown, fmt.Sprintf(verb, secret), fmt.Sprintf(verb, held), fmt.Sprintf(verb, &held))
	}
	encoded, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", secret, "held", held)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret, "held", held)
	shown = append(shown, string(encoded), log.String(), fmt.Errorf("wrap: %v", secret).Error())
	for _, text := range shown {
		for _, form := range []string{password, fmt.Sprintf("%x", password), fmt.Sprintf("%X", password)} {
			if strings.Contains(text, form) {
				t.Errorf("the value shows in %q", text)
			}
		}
	}
	if secret.Reveal() != password {
		t.Error("Reveal must give the value")
	}
}

func TestAttrs(t *testing.T) {
	t.Parallel()
	cfg := settings{
		Broker: broker{Addrs: []string{"a:1", "amqp://u:hunter2@b:2/"}, Password: password},
		URL:    "postgres://order:hunter2@db:5432/order",
	}
	got := map[string]string{}
	for _, a := range config.Attrs(&cfg) {
		got[a.Key] = a.Value.String()
	}
	want := map[string]string{
		"test_level": "INFO", "test_brokers": "a:1,amqp://u:xxxxx@b:2/", "test_password": "***", "test_timeout": "0s",
		"test_size": "0", "test_count": "0", "test_ratio": "0", "test_on": "false", "test_delays": "",
		"test_shares": "map[]", "test_url": "postgres://order:xxxxx@db:5432/order",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cfg.URL = "postgres://order:%zz@db" // cannot be parsed, so it is hidden
	for _, a := range config.Attrs(cfg) {
		if a.Key == "test_url" && a.Value.String() != "***" {
			t.Errorf("url = %s", a.Value)
		}
	}
	if config.Attrs(7) != nil {
		t.Error("only a struct has attributes")
	}
}
