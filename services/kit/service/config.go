package service

import (
	"time"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/kafka"
	"parley.sh/services/kit/lifecycle"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
	"parley.sh/services/kit/rabbit"
	"parley.sh/services/kit/web"
)

// Config is the part of a service's configuration that all have in common.
type Config struct {
	lifecycle.Config

	Web      web.Config
	Database postgres.Config
	Kafka    kafka.Config
	RabbitMQ rabbit.Config
	Outbox   outbox.Config
	Inbox    inbox.Config
	Messages Messages
}

// Messages says how long a message may take.
type Messages struct {
	// HandlerTimeout bounds one attempt at a message, calls to the outside included.
	HandlerTimeout time.Duration `envconfig:"HANDLER_TIMEOUT" default:"15s"`
}

// Validate implements the contract of package config.
func (m Messages) Validate() error {
	return config.Between("HANDLER_TIMEOUT", m.HandlerTimeout, 100*time.Millisecond, 10*time.Minute)
}
