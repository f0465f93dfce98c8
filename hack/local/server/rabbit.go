package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/process"
)

// RabbitOptions say how to run one node.
type RabbitOptions struct {
	Options
	// ManagementPort of the HTTP API. Zero means a free one.
	ManagementPort int
	// ManagementSetting names what the user changes for another ManagementPort.
	ManagementSetting string
	// Config holds more lines of rabbitmq.conf.
	Config []string
}

// Rabbit is one RabbitMQ node with its management plugin. Its user parley has a generated password and may do everything.
type Rabbit struct {
	*Server
	options   RabbitOptions
	installed install.Rabbit
	password  string
	ports     rabbitPorts
}

type rabbitPorts struct{ amqp, management, prometheus, epmd, distribution int }

const (
	rabbitUser = "parley"
	rabbitNode = "parley@localhost"
)

// NewRabbit chooses the ports and the password of a node; Start starts it.
func NewRabbit(o RabbitOptions) (*Rabbit, error) {
	r := &Rabbit{Server: &Server{}, options: o}
	if err := r.open("rabbitmq", o.Options); err != nil {
		return nil, err
	}
	if err := r.choosePorts(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder of rabbitmq: %w", err)
	}
	var err error
	if r.password, err = Password(r.path("password")); err != nil {
		return nil, err
	}
	r.prepare, r.command, r.ready = r.configure, r.run, r.answers
	return r, nil
}

func (r *Rabbit) choosePorts() error {
	for _, c := range []struct {
		purpose, setting string
		wanted           int
		port             *int
	}{
		{"AMQP", r.options.PortSetting, r.options.Port, &r.ports.amqp},
		{"its management API", r.options.ManagementSetting, r.options.ManagementPort, &r.ports.management},
		{"its metrics", "", 0, &r.ports.prometheus},
		{"epmd", "", 0, &r.ports.epmd},
		{"Erlang distribution", "", 0, &r.ports.distribution},
	} {
		var err error
		if *c.port, err = r.claim(c.purpose, c.wanted, c.setting); err != nil {
			return err
		}
	}
	return nil
}

// Addr is host:port of AMQP.
func (r *Rabbit) Addr() string { return local(r.ports.amqp) }

// URL is the amqp URL with user and password, virtual host "/".
func (r *Rabbit) URL() string {
	return (&url.URL{Scheme: "amqp", User: url.UserPassword(rabbitUser, r.password), Host: r.Addr(), Path: "/"}).String()
}

// ManagementURL is the base of the HTTP API with user and password, without a slash at the end.
func (r *Rabbit) ManagementURL() string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(rabbitUser, r.password), Host: local(r.ports.management)}).String()
}

// home is the state folder as the server sees it.
func (r *Rabbit) home() string {
	if r.installed.Root != "" {
		return install.RabbitHome
	}
	return r.path("home")
}

// configure installs the server and writes its settings into the state folder.
func (r *Rabbit) configure(ctx context.Context) error {
	var err error
	if r.installed, err = (install.Installer{Progress: r.progress}).Rabbit(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(r.path("home"), 0o755); err != nil {
		return fmt.Errorf("make home: %w", err)
	}
	for name, text := range map[string]string{
		"rabbitmq.conf":   r.settings(),
		"enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
	} {
		if err := os.WriteFile(r.path("home", name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
	}
	return nil
}

func (r *Rabbit) settings() string {
	lines := []string{
		"listeners.tcp.1 = " + r.Addr(),
		"distribution.listener.interface = 127.0.0.1",
		"management.tcp.ip = 127.0.0.1",
		"management.tcp.port = " + strconv.Itoa(r.ports.management),
		"prometheus.tcp.ip = 127.0.0.1",
		"prometheus.tcp.port = " + strconv.Itoa(r.ports.prometheus),
		"default_user = " + rabbitUser,
		"default_pass = " + r.password,
		"default_permissions.configure = .*",
		"default_permissions.read = .*",
		"default_permissions.write = .*",
	}
	return strings.Join(append(lines, r.options.Config...), "\n") + "\n"
}

// environment of the server and of its command-line tools. RUNNING_UNDER_SYSTEMD makes the server's script become the
// Erlang machine instead of waiting for it, so that the process that is started is the process that serves.
func (r *Rabbit) environment() []string {
	home := r.home()
	return []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + home,
		"RABBITMQ_NODENAME=" + rabbitNode,
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(home, "data"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(home, "log"), "RABBITMQ_LOGS=-",
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(home, "rabbitmq.conf"),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(home, "rabbitmq-env.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(home, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(home, "enabled_plugins"),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(r.ports.distribution),
		"ERL_EPMD_PORT=" + strconv.Itoa(r.ports.epmd), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RUNNING_UNDER_SYSTEMD=true",
	}
}

func (r *Rabbit) run() process.Command { return r.script("rabbitmq-server") }

// script is a command of the server's own scripts, in the server's own root.
func (r *Rabbit) script(name string, args ...string) process.Command {
	c := process.Command{Path: filepath.Join(r.installed.Scripts, name), Args: args, Env: r.environment(), Dir: r.dir}
	if process.CanIsolate() {
		c.Isolation = &process.Isolation{Root: r.installed.Root}
	}
	if r.installed.Root != "" {
		c.Isolation.Binds = []process.Bind{{From: r.path("home"), To: install.RabbitHome}}
	}
	return c
}

// Control runs rabbitmqctl against the running node and returns what it printed.
func (r *Rabbit) Control(ctx context.Context, args ...string) (string, error) {
	out, err := os.CreateTemp(r.dir, "rabbitmqctl-*.log")
	if err != nil {
		return "", fmt.Errorf("make output of rabbitmqctl: %w", err)
	}
	defer func() { _ = errors.Join(out.Close(), os.Remove(out.Name())) }()
	c := r.script("rabbitmqctl", append([]string{"--node", rabbitNode}, args...)...)
	c.Name, c.Log = "rabbitmqctl", out.Name()
	p, err := process.Start(c)
	if err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), p.Kill())
	}
	text, err := io.ReadAll(out)
	if p.Err() != nil {
		return string(text), fmt.Errorf("run rabbitmqctl: %w\n%s", p.Err(), install.Tail(string(text), 15))
	}
	return string(text), err
}

// answers shakes hands over AMQP and asks the management API who we are.
func (r *Rabbit) answers(ctx context.Context) error {
	if err := AskRabbit(r.URL()); err != nil {
		return err
	}
	return askManagement(ctx, r.ManagementURL())
}

// AskRabbit returns nil when the server at an AMQP URL lets us in and opens a channel.
func AskRabbit(address string) error {
	connection, err := amqp.DialConfig(address, amqp.Config{Dial: amqp.DefaultDial(dialTimeout)})
	if err != nil {
		return fmt.Errorf("ask rabbitmq for a connection: %w", err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := connection.Channel(); err != nil {
		return fmt.Errorf("ask rabbitmq for a channel: %w", err)
	}
	return nil
}

// askManagement asks the HTTP API who we are.
func askManagement(ctx context.Context, base string) error {
	var who struct{ Name string }
	if err := getJSON(ctx, base+"/api/whoami", &who); err != nil {
		return fmt.Errorf("ask rabbitmq's management API: %w", err)
	}
	return nil
}
