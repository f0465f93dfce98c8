package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"

	"parley.sh/services/kit/servertest"
)

// vhost makes a vhost of the test's own and returns the URL for the environment.
func vhost(t *testing.T) string {
	t.Helper()
	name := servertest.Name(t)
	amqp, err := url.Parse(servertest.AMQP(t))
	if err != nil {
		t.Fatal(err)
	}
	management, err := url.Parse(servertest.Management(t))
	if err != nil {
		t.Fatal(err)
	}
	do := func(method string) {
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, management.String()+"/api/vhosts/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Close = true
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	do(http.MethodPut)
	t.Cleanup(func() { do(http.MethodDelete) })
	return fmt.Sprintf("amqp://%s@%s/%s?management=http://%s", amqp.User, amqp.Host, name, management.Host)
}

func dropTopic(t *testing.T, name string) {
	t.Helper()
	t.Cleanup(func() {
		admin, err := sarama.NewClusterAdmin(servertest.Kafka(t), sarama.NewConfig())
		if err != nil {
			t.Logf("drop: %v", err)
			return
		}
		defer admin.Close()
		_ = admin.DeleteTopic(name)
	})
}

type planned struct {
	Brokers []struct {
		Broker string
		Error  string
		Steps  []struct{ Op, Kind, Name, Risk, Reason string }
	}
	Summary map[string]int
}

// The whole way on both brokers: plan, apply, nothing left, a change that is held
// back, and one that is allowed.
func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	topic := servertest.Name(t)
	dropTopic(t, topic)
	rabbit := vhost(t)
	env := map[string]string{
		"TOPOLOGY_BROKER_KAFKA_K":               "kafka://" + strings.Join(servertest.Kafka(t), ","),
		"TOPOLOGY_BROKER_RABBITMQCLUSTER_R_ONE": rabbit,
	}
	text := func(retention string) string {
		return topicYAML + "  name: " + topic + "\n  partitions: 1\n  config: {retention.ms: \"" + retention + "\"}\n---\n" +
			"apiVersion: messaging.parley.sh/v1alpha1\nkind: Queue\nmetadata: {name: q}\nspec:\n" +
			"  brokerRef: {kind: RabbitmqCluster, name: r-one}\n  deadLetter: {}\n"
	}
	first, second := file(t, text("5000")), file(t, text("1000"))

	code, stdout, stderr := run(t, env, "plan", "--detailed-exitcode", "-f", first)
	if code != 2 || !strings.Contains(stdout, "+ create topic "+topic) || !strings.Contains(stdout, "Plan: 6 to create") {
		t.Fatalf("plan: exit code %d:\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = run(t, env, "apply", "-f", first, "--wait", "5s"); code != 0 || !strings.Contains(stdout, "Applied: 6 done, 0 failed") {
		t.Fatalf("apply: exit code %d:\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = run(t, env, "plan", "--detailed-exitcode", "-f", first); code != 0 || strings.Count(stdout, "nothing to do") != 2 {
		t.Fatalf("plan again: exit code %d:\n%s%s", code, stdout, stderr)
	}

	code, stdout, _ = run(t, env, "plan", "--detailed-exitcode", "-o", "json", "-f", second)
	var got planned
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 2 {
		t.Fatalf("plan of a change: exit code %d, %v", code, err)
	}
	if s := got.Brokers[0].Steps; got.Brokers[0].Broker != "Kafka/k" || len(s) != 1 || s[0].Risk != "destructive" || s[0].Reason == "" {
		t.Errorf("plan of a change: %+v", got)
	}
	if diff := cmp.Diff(1, got.Summary["destructive"]); diff != "" {
		t.Errorf("destructive (-want +got):\n%s", diff)
	}

	if code, stdout, _ = run(t, env, "apply", "-f", second); code != 1 || !strings.Contains(stdout, "1 held back") {
		t.Errorf("apply of a change: exit code %d:\n%s", code, stdout)
	}
	if code, stdout, stderr = run(t, env, "apply", "-o", "json", "--max-risk", "destructive", "-f", second); code != 0 || !strings.Contains(stdout, `"outcome": "done"`) {
		t.Errorf("apply by consent: exit code %d:\n%s%s", code, stdout, stderr)
	}
}

// One broker that is away keeps no other from being served, and the exit code
// says so.
func TestOneBrokerAway(t *testing.T) {
	t.Parallel()
	rabbit := vhost(t)
	text := topicYAML + "---\n" + "apiVersion: messaging.parley.sh/v1alpha1\nkind: Exchange\nmetadata: {name: e}\nspec:\n" +
		"  brokerRef: {kind: RabbitmqCluster, name: r}\n"
	env := map[string]string{"TOPOLOGY_BROKER_RABBITMQCLUSTER_R": rabbit}
	code, stdout, stderr := run(t, env, "apply", "-f", file(t, text), "--broker", "Kafka/k=kafka://"+closedPort(t))
	if code != 1 || !strings.Contains(stdout, "create exchange e in vhost") || !strings.Contains(stdout, "Applied: 1 done") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
}

// The platform's own topology on an empty vhost: all there after one apply.
func TestPlatformTopologyIsApplied(t *testing.T) {
	t.Parallel()
	rabbit := vhost(t)
	env := map[string]string{"TOPOLOGY_BROKER_RABBITMQCLUSTER_PARLEY": rabbit}
	folders := []string{"-f", "../../../../k8s/topology/exchanges", "-f", "../../../../k8s/topology/queues"}
	if code, stdout, stderr := run(t, env, append([]string{"apply"}, folders...)...); code != 0 || !strings.Contains(stdout, "Applied: 76 done") {
		t.Fatalf("apply: exit code %d:\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := run(t, env, append([]string{"plan", "--detailed-exitcode"}, folders...)...); code != 0 {
		t.Errorf("plan: exit code %d:\n%s%s", code, stdout, stderr)
	}
}
