package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// lockedBuffer is what a process writes, while others read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// freeAddress returns an address that nothing listens on.
func freeAddress(ctx context.Context, t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// bare is a service whose servers are all nowhere.
func bare(ctx context.Context, t *testing.T, name, addr string) (*exec.Cmd, *lockedBuffer) {
	t.Helper()
	nowhere := freeAddress(ctx, t)
	out := &lockedBuffer{}
	cmd := exec.CommandContext(ctx, filepath.Join(platform.bin, name))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{
		"HTTP_ADDR=" + addr, "DATABASE_URL=postgres://somebody:hidden@" + nowhere + "/none", "KAFKA_BROKERS=" + nowhere,
		"AMQP_URL=amqp://somebody:hidden@" + nowhere + "/", "INVENTORY_URL=http://" + nowhere,
		"PAYMENT_PROVIDER_URL=http://" + nowhere, "CARRIER_URL=http://" + nowhere,
	}
	return cmd, out
}

// status is the status of a GET; 0 without an answer.
func status(ctx context.Context, url string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
