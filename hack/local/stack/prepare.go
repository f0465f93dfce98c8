package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/server"
)

// role of a service in PostgreSQL; its database has the same name.
func role(service string) string { return "parley_" + service }

// nameDatabases chooses the databases' URLs, with a password for each role that is generated once and kept in the state folder.
func (s *Stack) nameDatabases() error {
	admin, err := url.Parse(s.AdminURL())
	if err != nil {
		return errors.New("parse DATABASE_URL: it is no URL such as postgres://user:password@host:5432/postgres")
	}
	for _, service := range services {
		password, err := server.Password(filepath.Join(s.options.Dir, "passwords", service))
		if err != nil {
			return err
		}
		own := *admin
		own.User, own.Path = url.UserPassword(role(service), password), "/"+role(service)
		s.databases[service] = own.String()
	}
	return nil
}

// makeDatabases makes a role and a database for each service, or finds them.
func (s *Stack) makeDatabases(ctx context.Context) error {
	return s.options.Progress.Do(ctx, "make the databases", func(ctx context.Context) error {
		admin, err := pgx.Connect(ctx, s.AdminURL())
		if err != nil {
			return fmt.Errorf("connect to PostgreSQL as the role that makes databases: %w", err)
		}
		defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()
		for _, service := range services {
			if err := makeDatabase(ctx, admin, s.databases[service]); err != nil {
				return fmt.Errorf("make database of %s: %w", service, err)
			}
		}
		return nil
	})
}

// makeDatabase makes the role and the database that address names, and closes the database to other roles.
func makeDatabase(ctx context.Context, admin *pgx.Conn, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	name := pgx.Identifier{u.User.Username()}.Sanitize()
	var hasRole, hasDatabase bool
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		EXISTS (SELECT FROM pg_database WHERE datname = $1)`, u.User.Username()).Scan(&hasRole, &hasDatabase)
	if err != nil {
		return err
	}
	statements := []string{"ALTER ROLE " + name + " LOGIN PASSWORD " + quote(password)}
	if !hasRole {
		statements = append([]string{"CREATE ROLE " + name}, statements...)
	}
	if !hasDatabase {
		statements = append(statements, "CREATE DATABASE "+name+" OWNER "+name, "REVOKE ALL ON DATABASE "+name+" FROM PUBLIC")
	}
	for _, statement := range statements {
		if _, err := admin.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// quote makes a literal of a generated password, which holds letters and digits only.
func quote(password string) string { return "'" + password + "'" }

// applyTopology makes topics, queues and exchanges with the project's own command, and waits until RabbitMQ has them on disk.
func (s *Stack) applyTopology(ctx context.Context) error {
	return s.options.Progress.Do(ctx, "apply the topology", func(ctx context.Context) error {
		if err := s.runTopology(ctx); err != nil {
			return err
		}
		if s.rabbit == nil {
			return nil
		}
		return s.rabbit.Durable(ctx)
	})
}

func (s *Stack) runTopology(ctx context.Context) error {
	address, password, err := s.rabbitAddress()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.options.Bin, "topology"), "apply",
		"-f", filepath.Join(s.options.Root, "k8s", "topology"),
		"--broker", "Kafka/parley=kafka://"+s.KafkaBrokers(),
		"--broker", "RabbitmqCluster/parley="+address, "--wait", "1m")
	cmd.Env = append(os.Environ(), "TOPOLOGY_PASSWORD_RABBITMQCLUSTER_PARLEY="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apply the topology: %w\n%s", err, install.Tail(string(out), 30))
	}
	return nil
}

// rabbitAddress is RabbitMQ's address as the topology command takes it, and the password, which it takes from the environment.
func (s *Stack) rabbitAddress() (address, password string, err error) {
	u, err := url.Parse(s.AMQPURL())
	if err != nil {
		return "", "", errors.New("parse AMQP_URL: it is no URL such as amqp://user:password@host:5672/")
	}
	management, err := url.Parse(s.ManagementURL())
	if err != nil {
		return "", "", errors.New("parse AMQP_MANAGEMENT_URL: it is no URL such as http://host:15672")
	}
	password, _ = u.User.Password()
	u.User, management.User = url.User(u.User.Username()), nil
	u.RawQuery = url.Values{"management": {management.String()}}.Encode()
	return u.String(), password, nil
}
