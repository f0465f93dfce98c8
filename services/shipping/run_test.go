package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// alone is the environment of a service that none of its servers answers.
func alone(t *testing.T) (cfg Config, url string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"HTTP_ADDR": addr, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none?sslmode=disable", "KAFKA_BROKERS": "127.0.0.1:1",
		"AMQP_URL": "amqp://guest:guest@127.0.0.1:1/", "DRAIN_DELAY": "0s", "SHUTDOWN_TIMEOUT": "10s",
		"CARRIER_URL": "http://127.0.0.1:1",
	} {
		t.Setenv(name, value)
	}
	if err := config.Load(&cfg); err != nil {
		t.Fatal(err)
	}
	return cfg, "http://" + addr
}

func observed() *telemetry.Telemetry {
	return &telemetry.Telemetry{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()}
}

// get returns 0 when there was no answer.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// Without any server the service lives, says what it waits for, refuses with 503
// and stops when it is told to.
func TestAlone(t *testing.T) {
	cfg, url := alone(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, cfg, observed()) }()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if status, _ := get(t, url+"/healthz"); status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
		<-time.After(5 * time.Millisecond)
	}
	status, body := get(t, url+"/readyz")
	if status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d %s", status, body)
	}
	for _, part := range []string{
		"database", "kafka publisher", "rabbitmq publisher", "rabbitmq queue ShippingQueue",
		"rabbitmq queue ExpressLabelQueue", "rabbitmq queue StandardLabelQueue",
	} {
		if !strings.Contains(body, `"`+part+`"`) {
			t.Errorf("/readyz does not name %q: %s", part, body)
		}
	}
	if status, body := get(t, url+"/api/shipments/01935f2e-7c1a-7000-8000-000000000001"); status != http.StatusServiceUnavailable {
		t.Errorf("the API: %d %s, want 503", status, body)
	}
	for _, path := range []string{"/openapi.json", "/docs", "/metrics"} {
		if status, _ := get(t, url+path); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run = %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
