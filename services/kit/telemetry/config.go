package telemetry

import (
	"log/slog"
	"strings"

	"parley.sh/services/kit/config"
)

// Config is how a process is observed.
type Config struct {
	// LogLevel is the least severe level that is logged: debug, info, warn or error.
	LogLevel string `envconfig:"LOG_LEVEL" default:"info"`
	// Endpoint is the base URL of an OTLP/HTTP collector, such as
	// http://otel-collector:4318. Empty means that no traces are exported.
	Endpoint string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	// SampleRatio is the share of new traces that is recorded, 0 to 1. A trace
	// that a caller began keeps the caller's decision.
	SampleRatio float64 `envconfig:"TRACE_SAMPLE_RATIO" default:"1"`
}

// Validate implements the contract of package config.
func (c Config) Validate() error {
	var endpoint error
	if c.Endpoint != "" {
		endpoint = config.URL("OTEL_EXPORTER_OTLP_ENDPOINT", c.Endpoint, "http", "https")
	}
	return config.All(
		config.OneOf("LOG_LEVEL", strings.ToLower(c.LogLevel), "debug", "info", "warn", "error"),
		endpoint,
		config.Between("TRACE_SAMPLE_RATIO", c.SampleRatio, 0, 1),
	)
}

// level returns the slog level; that of an unknown name is info.
func (c Config) level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return slog.LevelInfo
	}
	return l
}
