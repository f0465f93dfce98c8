package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/process"
)

// KafkaOptions say how to run one broker in KRaft mode.
type KafkaOptions struct {
	Options
	// Properties are added to server.properties, or replace what stands there.
	Properties map[string]string
	// FullJIT lets the JVM compile with its optimizing compiler. That starts slower, and is for measuring the broker.
	FullJIT bool
}

// Kafka is one broker that is its own controller, without authentication.
type Kafka struct {
	*Server
	options    KafkaOptions
	installed  install.Kafka
	port       int
	controller int
}

// NewKafka chooses the ports of a broker; Start starts it.
func NewKafka(o KafkaOptions) (*Kafka, error) {
	k := &Kafka{Server: &Server{}, options: o}
	if err := k.open("kafka", o.Options); err != nil {
		return nil, err
	}
	var err error
	if k.port, err = k.claim("clients", o.Port, o.PortSetting); err != nil {
		return nil, err
	}
	if k.controller, err = k.claim("its controller", 0, ""); err != nil {
		return nil, err
	}
	k.prepare, k.command, k.ready = k.format, k.run, k.answers
	return k, nil
}

// Addr is the broker's host:port.
func (k *Kafka) Addr() string { return local(k.port) }

// Brokers is Addr as a list.
func (k *Kafka) Brokers() []string { return []string{k.Addr()} }

// format installs the broker, writes its settings and formats a new data folder. Each piece is done again at every start.
func (k *Kafka) format(ctx context.Context) error {
	var err error
	if k.installed, err = (install.Installer{Progress: k.progress}).Kafka(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(k.path("server.properties"), []byte(k.properties()), 0o644); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := os.WriteFile(k.path("log4j2.properties"), []byte(logSettings), 0o644); err != nil {
		return fmt.Errorf("write log settings: %w", err)
	}
	if _, err := os.Stat(k.path("data", "meta.properties")); err == nil {
		return nil
	}
	return k.formatStorage(ctx)
}

// formatStorage writes the cluster's identity into an empty data folder.
func (k *Kafka) formatStorage(ctx context.Context) error {
	args := append(k.jvm(), "kafka.tools.StorageTool", "format", "--ignore-formatted",
		"-t", clusterID, "-c", k.path("server.properties"))
	cmd := exec.CommandContext(ctx, k.installed.Java, args...)
	cmd.Env = k.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format storage: %w\n%s", err, install.Tail(string(out), 15))
	}
	return nil
}

// clusterID is the same for every broker that this package makes: each is a cluster of its own.
const clusterID = "cGFybGV5LmxvY2FsLjAwMQ"

const logSettings = `rootLogger.level=WARN
rootLogger.appenderRef.console.ref=CONSOLE
appender.console.type=Console
appender.console.name=CONSOLE
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c)%n
`

// properties of one broker: every replicated thing has one replica, and nothing is made by asking for it. As in production the
// broker leaves syncing its log to the kernel: what it confirmed survives SIGKILL, not the loss of power.
func (k *Kafka) properties() string {
	settings := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"listeners":                                        "PLAINTEXT://" + k.Addr() + ",CONTROLLER://" + local(k.controller),
		"advertised.listeners":                             "PLAINTEXT://" + k.Addr(),
		"controller.listener.names":                        "CONTROLLER",
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters":                         "1@" + local(k.controller),
		"log.dirs":                                         k.path("data"),
		"offsets.topic.num.partitions":                     "8",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"broker.session.timeout.ms":                        "4000",
		"broker.heartbeat.interval.ms":                     "500",
		"auto.create.topics.enable":                        "false",
	}
	maps.Copy(settings, k.options.Properties)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=%s\n", key, settings[key])
	}
	return text.String()
}

func (k *Kafka) jvm() []string {
	args := []string{"-Xms256m", "-Xmx512m", "-XX:+UseSerialGC"}
	if !k.options.FullJIT {
		args = append(args, "-XX:TieredStopAtLevel=1")
	}
	return append(args, "-XX:+ExitOnOutOfMemoryError", "-Dlog4j2.configurationFile="+k.path("log4j2.properties"),
		"-cp", k.installed.ClassPath)
}

func (k *Kafka) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + k.dir, "JAVA_HOME=" + os.Getenv("JAVA_HOME"), "LANG=C.UTF-8"}
}

func (k *Kafka) run() process.Command {
	return process.Command{
		Path: k.installed.Java,
		Args: append(k.jvm(), "kafka.Kafka", k.path("server.properties")),
		Env:  k.environment(),
		Dir:  k.dir,
	}
}

// answers asks for metadata: the broker lists itself there once it takes requests for topics.
func (k *Kafka) answers(context.Context) error {
	return AskKafka(k.Brokers())
}

// AskKafka returns nil when one of the brokers answers a request for metadata and the cluster has a broker to serve it.
func AskKafka(brokers []string) error {
	config := sarama.NewConfig()
	config.ClientID = "parley-local"
	config.Version = sarama.V4_1_0_0
	config.Metadata.Retry.Max = 0
	config.Net.DialTimeout, config.Net.ReadTimeout, config.Net.WriteTimeout = 2*time.Second, 3*time.Second, 3*time.Second
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return fmt.Errorf("ask kafka at %s for metadata: %w", strings.Join(brokers, ","), err)
	}
	defer func() { _ = client.Close() }()
	if len(client.Brokers()) == 0 {
		return errors.New("ask kafka for metadata: no broker is ready yet")
	}
	return nil
}

// path is below the server's folder.
func (s *Server) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

func local(p int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p)) }
