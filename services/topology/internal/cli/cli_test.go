package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"parley.sh/services/topology/internal/cli"
)

// sarama counts with go-metrics, whose one ticker of the process never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// run runs the command line and returns the exit code and what it said.
func run(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Main(cli.World{
		Args: args, Stdin: strings.NewReader(topicYAML), Stdout: &out, Stderr: &err, Context: t.Context(),
		Getenv: func(name string) string { return env[name] },
	})
	return code, out.String(), err.String()
}

const topicYAML = `apiVersion: messaging.parley.sh/v1alpha1
kind: Topic
metadata: {name: orders}
spec:
  brokerRef: {kind: Kafka, name: k}
`

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want int
		// says are parts of what is said on either stream.
		says []string
	}{
		"good":      {topicYAML, 0, []string{"1 manifest: all valid"}},
		"bad":       {topicYAML + "  partitions: 0\n  color: red\n", 1, []string{"spec.partitions", "spec.color", "Topic orders", "manifest.yaml:1"}},
		"collision": {topicYAML + "  name: a.b\n---\n" + strings.Replace(topicYAML, "orders", "other", 1) + "  name: a_b\n", 1, []string{"Topic other", "Topic orders"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, "validate", "-f", file(t, tc.text))
			if code != tc.want {
				t.Errorf("exit code %d, want %d", code, tc.want)
			}
			for _, part := range tc.says {
				if !strings.Contains(stdout+stderr, part) {
					t.Errorf("does not say %q:\n%s%s", part, stdout, stderr)
				}
			}
		})
	}
}

func TestValidateAsJSON(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "validate", "-o", "json", "-f", file(t, topicYAML+"  partitions: 0\n"))
	var got struct {
		Manifests int
		Problems  []struct {
			Document      int
			Object, Field string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, stdout)
	}
	if len(got.Problems) != 1 || got.Problems[0].Field != "spec.partitions" || got.Problems[0].Object != "Topic orders" || got.Problems[0].Document != 1 {
		t.Errorf("got %+v", got)
	}
	if code, stdout, _ := run(t, nil, "validate", "-o", "json", "-f", "-"); code != 0 || !strings.Contains(stdout, `"problems": []`) {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

// What is asked wrongly ends with code 1 before any broker is touched.
func TestWrongCommands(t *testing.T) {
	t.Parallel()
	queue := strings.NewReplacer("Topic", "Queue").Replace(topicYAML)
	tests := map[string]struct {
		args []string
		env  map[string]string
		says string
	}{
		"no command's flag":             {[]string{"validate"}, nil, "filename"},
		"unknown command":               {[]string{"destroy"}, nil, "destroy"},
		"unknown output":                {[]string{"plan", "-f", "-", "-o", "xml"}, nil, "text or json"},
		"no address":                    {[]string{"plan", "-f", "-"}, nil, "TOPOLOGY_BROKER_KAFKA_K"},
		"no reference":                  {[]string{"plan", "-f", "-", "--broker", "kafka://a"}, nil, "KIND/NAME=URL"},
		"address twice":                 {[]string{"plan", "-f", "-", "--broker", "Kafka/k=kafka://a", "--broker", "Kafka/k=kafka://b"}, nil, "twice"},
		"broken URL":                    {[]string{"plan", "-f", "-", "--broker", "Kafka/k=kafka://"}, nil, "host"},
		"broken URL of the environment": {[]string{"plan", "-f", "-"}, map[string]string{"TOPOLOGY_BROKER_KAFKA_K": "kafka://"}, "TOPOLOGY_BROKER_KAFKA_K"},
		"the other protocol":            {[]string{"plan", "-f", "-", "--broker", "Kafka/k=amqp://a"}, nil, "kafka://"},
		"password in a URL":             {[]string{"plan", "-f", "-", "--broker", "Kafka/k=kafka://u:s3cret@a"}, nil, "TOPOLOGY_PASSWORD_KAFKA_K"},
		"unknown risk":                  {[]string{"apply", "-f", "-", "--max-risk", "high"}, nil, "disruptive"},
		"risk that is none":             {[]string{"apply", "-f", "-", "--max-risk", "blocked"}, nil, "disruptive"},
		"a queue on a Kafka":            {[]string{"plan", "-f", file(t, strings.Replace(queue, "kind: Kafka", "kind: Broker", 1)), "--broker", "Broker/k=kafka://a"}, nil, "spec.brokerRef"},
		"files that are not there":      {[]string{"plan", "-f", "/nowhere"}, nil, "/nowhere"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, tc.env, tc.args...)
			if code != 1 || !strings.Contains(stderr, tc.says) || strings.Contains(stdout+stderr, "s3cret") {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func TestBrokerThatIsNotThere(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"plan":  {"plan", "--detailed-exitcode"},
		"apply": {"apply"},
		"wait":  {"apply", "--wait", "300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := closedPort(t)
			code, stdout, stderr := run(t, nil, append(args, "-f", "-", "--broker", "Kafka/k=kafka://"+addr)...)
			if code != 1 || !strings.Contains(stderr, addr) {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	code := cli.Main(cli.World{
		Args: []string{"apply", "--wait", "1h", "-f", "-", "--broker", "Kafka/k=kafka://" + closedPort(t)}, Stdin: strings.NewReader(topicYAML),
		Stdout: &out, Stderr: &out, Context: ctx, Getenv: func(string) string { return "" },
	})
	if code != 1 {
		t.Errorf("interrupted: exit code %d", code)
	}
}

// The platform's own topology is valid and complete.
func TestPlatformTopology(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, nil, "validate", "-f", "../../../../k8s/topology")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	if diff := cmp.Diff("13 manifests: all valid\n", stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
