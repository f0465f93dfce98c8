package stack

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"parley.sh/hack/local/server"
)

// makeSim chooses the simulator's port and state.
func (s *Stack) makeSim() error {
	var err error
	s.sim, err = server.NewService(server.ServiceOptions{
		Options: s.common(Sim), Name: Sim, Program: filepath.Join(s.options.Bin, Sim), AddrVariable: "SIM_ADDR",
		Env: s.programEnv(Sim, Sim, "SIM_DATA="+filepath.Join(s.options.Dir, Sim, "data")),
	})
	return err
}

// makeServices chooses the ports of all replicas. Inventory comes before order, which calls it.
func (s *Stack) makeServices() error {
	for _, service := range services {
		for n := 1; n <= s.options.replicas(service); n++ {
			name := Replica(service, n)
			program, err := server.NewService(server.ServiceOptions{
				Options: s.common(name), Name: name, Program: filepath.Join(s.options.Bin, service),
				Env: s.programEnv(service, name, s.serviceEnv(service, n)...),
			})
			if err != nil {
				return err
			}
			s.programs[name] = program
			s.order = append(s.order, name)
		}
	}
	return nil
}

// programEnv is the caller's environment, what the options add, and what the stack sets; later ones win.
func (s *Stack) programEnv(service, name string, own ...string) []string {
	env := append(os.Environ(), "DRAIN_DELAY=0s")
	return append(append(env, s.options.environment(service, name)...), own...)
}

// serviceEnv tells replica n of a service where everything is. The n-th replica of order calls the n-th of inventory, round
// and round: there is no load balancer on one machine.
func (s *Stack) serviceEnv(service string, n int) []string {
	env := []string{
		"KAFKA_BROKERS=" + s.KafkaBrokers(),
		"AMQP_URL=" + s.AMQPURL(),
		"DATABASE_URL=" + s.databases[service],
	}
	switch service {
	case Order:
		return append(env, "INVENTORY_URL="+s.programs[Replica(Inventory, (n-1)%s.options.replicas(Inventory)+1)].URL())
	case Inventory:
		return append(env, "INVENTORY_SEED_FILE="+s.options.Seed)
	case Payment:
		return append(env, "PAYMENT_PROVIDER_URL="+s.sim.URL())
	case Shipping:
		return append(env, "CARRIER_URL="+s.sim.URL())
	}
	return env
}

// KafkaBrokers is a comma separated list of host:port.
func (s *Stack) KafkaBrokers() string {
	if s.kafka == nil {
		return s.options.Use.Kafka
	}
	return s.kafka.Addr()
}

// AMQPURL is the amqp URL of RabbitMQ with user and password.
func (s *Stack) AMQPURL() string {
	if s.rabbit == nil {
		return s.options.Use.AMQP
	}
	return s.rabbit.URL()
}

// ManagementURL is the base URL of RabbitMQ's HTTP API with user and password.
func (s *Stack) ManagementURL() string {
	if s.rabbit != nil {
		return s.rabbit.ManagementURL()
	}
	return cmp.Or(s.options.Use.Management, managementOf(s.options.Use.AMQP))
}

// managementOf is where the HTTP API of a server with the usual ports is.
func managementOf(amqpURL string) string {
	u, err := url.Parse(amqpURL)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: "http", User: u.User, Host: u.Hostname() + ":15672"}).String()
}

// AdminURL is the URL of a PostgreSQL role that may do everything.
func (s *Stack) AdminURL() string {
	if s.postgres == nil {
		return s.options.Use.Database
	}
	return s.postgres.URL()
}

// DatabaseURL is the URL of a service's database, as its own role.
func (s *Stack) DatabaseURL(service string) string { return s.databases[service] }

// URL is the base URL of a process by name, such as order-2 or sim, without a slash at the end; empty for an unknown name.
func (s *Stack) URL(name string) string {
	if name == Sim {
		return s.sim.URL()
	}
	if program := s.programs[name]; program != nil {
		return program.URL()
	}
	return ""
}

// URLs are the base URLs of all replicas of a service.
func (s *Stack) URLs(service string) []string {
	var urls []string
	for n := 1; n <= s.options.replicas(service); n++ {
		urls = append(urls, s.URL(Replica(service, n)))
	}
	return urls
}

// Environment is what the load and the audit need to know, NAME=value: see the README of hack/local.
func (s *Stack) Environment() []string {
	env := []string{
		"KAFKA_BROKERS=" + s.KafkaBrokers(),
		"AMQP_URL=" + s.AMQPURL(),
		"AMQP_MANAGEMENT_URL=" + s.ManagementURL(),
		"SIM_URL=" + s.sim.URL(),
	}
	for _, service := range services {
		upper := strings.ToUpper(service)
		env = append(env,
			fmt.Sprintf("%s_URL=%s", upper, strings.Join(s.URLs(service), ",")),
			fmt.Sprintf("%s_DATABASE_URL=%s", upper, s.databases[service]))
	}
	return env
}
