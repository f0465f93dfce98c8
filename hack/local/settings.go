package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"parley.sh/hack/local/stack"
	"parley.sh/hack/local/step"
)

// portSetting is a port of a run and the environment variable that changes it.
type portSetting struct {
	name, variable string
	port           int
}

var ports = []portSetting{
	{stack.Order, "ORDER_PORT", 8081},
	{stack.Inventory, "INVENTORY_PORT", 8082},
	{stack.Payment, "PAYMENT_PORT", 8083},
	{stack.Shipping, "SHIPPING_PORT", 8084},
	{stack.Sim, "SIM_PORT", 8090},
	{stack.Kafka, "KAFKA_PORT", 20092},
	{stack.RabbitMQ, "RABBITMQ_PORT", 20672},
	{stack.RabbitManagement, "RABBITMQ_MANAGEMENT_PORT", 20673},
	{stack.Postgres, "POSTGRES_PORT", 20432},
}

func settingsHelp() string {
	var b strings.Builder
	b.WriteString("Ports, all on 127.0.0.1, and the environment variables that change them (0 takes a free one):\n")
	for _, p := range ports {
		fmt.Fprintf(&b, "  %-25s %5d  %s\n", p.variable, p.port, p.name)
	}
	b.WriteString(`
Servers that are there already are used instead of being started, and never stopped:
  KAFKA_BROKERS             host:port,...
  AMQP_URL                  amqp://user:password@host:5672/
  AMQP_MANAGEMENT_URL       http://user:password@host:15672 (default: that port of AMQP_URL's host)
  DATABASE_URL              postgres://user:password@host:5432/postgres, a role that may create roles and databases

Any other variable reaches the services: STOCK_FALLBACK=refuse make up. State and logs are in .local/.`)
	return b.String()
}

// project finds the root folder of the project.
func project() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "k8s", "topology")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the project: no folder above this one holds k8s/topology")
		}
		dir = parent
	}
}

// folder is where a run of the given kind keeps its state.
func folder(root, kind string) string { return filepath.Join(root, ".local", kind) }

// stackOptions are the options of a run, as the environment has them.
func stackOptions(root, kind string, progress *step.Printer) (stack.Options, error) {
	o := stack.Options{
		Dir: folder(root, kind), Root: root, Supervise: true, Progress: progress,
		Ports: map[string]int{}, PortSettings: map[string]string{}, Use: servers(),
	}
	for _, p := range ports {
		port := p.port
		if text := os.Getenv(p.variable); text != "" {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return o, fmt.Errorf("%s is %q: set it to a port between 1 and 65535, or to 0 for a free one", p.variable, text)
			}
			port = int(n)
		}
		o.Ports[p.name], o.PortSettings[p.name] = port, p.variable
	}
	return o, nil
}

// servers are those that the environment names.
func servers() stack.Servers {
	return stack.Servers{
		Kafka:      os.Getenv("KAFKA_BROKERS"),
		AMQP:       os.Getenv("AMQP_URL"),
		Management: os.Getenv("AMQP_MANAGEMENT_URL"),
		Database:   os.Getenv("DATABASE_URL"),
	}
}
