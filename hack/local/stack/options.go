package stack

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"parley.sh/hack/local/step"
)

// Names of the processes. A second replica of a service is Replica(name, 2).
const (
	Kafka     = "kafka"
	RabbitMQ  = "rabbitmq"
	Postgres  = "postgres"
	Sim       = "sim"
	Order     = "order"
	Inventory = "inventory"
	Payment   = "payment"
	Shipping  = "shipping"
)

// services in the order in which they are started and shown.
var services = []string{Inventory, Payment, Shipping, Order}

// Replica is the process name of the n-th replica of a service, counted from 1.
func Replica(service string, n int) string {
	if n == 1 {
		return service
	}
	return fmt.Sprintf("%s-%d", service, n)
}

// Options say what to run. Dir is required.
type Options struct {
	// Dir is the folder of all state and logs.
	Dir string
	// Root is the folder of the project. Empty means that of the Go module around the working folder.
	Root string
	// Bin is the folder of the built programs. Empty means bin below Root.
	Bin string
	// Replicas per service; one where it says nothing.
	Replicas map[string]int
	// Ports by process name, and RabbitMQ's management API as RabbitManagement. Free ones where it says nothing.
	Ports map[string]int
	// PortSettings names what the user changes for another port, by the same names.
	PortSettings map[string]string
	// Env is added to the environment of processes, NAME=value, by process name or by service; "" means all services and the
	// simulator. They also inherit the environment of the caller; what the stack itself sets wins over both.
	Env map[string][]string
	// Use names servers that are there already.
	Use Servers
	// Seed is the file of the first catalogue. Empty means hack/local/catalogue.json below Root.
	Seed string
	// Build makes the programs of Bin while the servers start. Nil means that they are there.
	Build func(context.Context) error
	// Supervise starts again, with backoff, what ends without being stopped. Kill and Restart are not meant to be used then.
	Supervise bool
	// Progress says what takes long. Nil is silent.
	Progress *step.Printer
}

// RabbitManagement is the name of RabbitMQ's management port in Options.Ports.
const RabbitManagement = "rabbitmq-management"

// Servers are addresses of servers that are there already; an empty one is started instead.
type Servers struct {
	// Kafka is a comma separated list of host:port.
	Kafka string
	// AMQP is an amqp URL with user and password, and Management the base URL of the HTTP API of the same server.
	AMQP, Management string
	// Database is the URL of a PostgreSQL role that may create roles and databases.
	Database string
}

// complete fills in the defaults.
func (o *Options) complete() error {
	if o.Dir == "" {
		return errors.New("make stack: options name no folder")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("make stack: %w", err)
	}
	if o.Root, err = rootOr(o.Root); err != nil {
		return err
	}
	if o.Bin == "" {
		o.Bin = filepath.Join(o.Root, "bin")
	}
	if o.Seed == "" {
		o.Seed = filepath.Join(o.Root, "hack", "local", "catalogue.json")
	}
	return nil
}

// rootOr returns root, or the folder of the module around the working folder when it is empty.
func rootOr(root string) (string, error) {
	if root != "" {
		return filepath.Abs(root)
	}
	out, err := exec.Command("go", "env", "GOMOD").Output() //nolint:noctx // answers at once
	if err != nil {
		return "", fmt.Errorf("find the project: go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("find the project: the working folder is not inside its Go module")
	}
	return filepath.Dir(file), nil
}

// replicas of a service.
func (o *Options) replicas(service string) int { return max(1, o.Replicas[service]) }

// environment of one process beyond what the stack itself sets.
func (o *Options) environment(service, name string) []string {
	var env []string
	env = append(env, o.Env[""]...)
	env = append(env, o.Env[service]...)
	if name != service {
		env = append(env, o.Env[name]...)
	}
	return env
}
