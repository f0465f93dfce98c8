package cli_test

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"parley.sh/services/topology/internal/cli"
)

// signal is a writer that says when it is first written to.
type signal struct {
	once    sync.Once
	written chan struct{}
}

func (s *signal) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.written) })
	return len(p), nil
}

// A broker that comes while it is waited for is served.
func TestBrokerThatComesLater(t *testing.T) {
	t.Parallel()
	addr := closedPort(t)
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	waiting := &signal{written: make(chan struct{})}
	var out bytes.Buffer
	code := make(chan int)
	go func() {
		code <- cli.Main(cli.World{
			Args:  []string{"apply", "--wait", "60s", "-f", "-", "--broker", "Kafka/k=kafka://" + addr},
			Stdin: strings.NewReader(topicYAML), Stdout: &out, Stderr: waiting, Context: t.Context(),
			Getenv: func(string) string { return "" },
		})
	}()
	<-waiting.written
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	if got := <-code; got != 0 || !strings.Contains(out.String(), "create topic orders   done") {
		t.Errorf("exit code %d:\n%s", got, out.String())
	}
}
