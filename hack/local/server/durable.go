package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Durable waits until a SIGKILL would no longer cost the node a queue that it has now.
//
// RabbitMQ 4.0 answers queue.declare-ok before its directory of quorum queues is on disk: that file (names.dets) is written
// one to three seconds later. Killed in between, the node still knows the queue but no longer its log, starts an empty
// member beside it ("was not found on this node") and answers nothing on that queue any more. Graceful stops are not
// affected.
func (r *Rabbit) Durable(ctx context.Context) error {
	const pause = 100 * time.Millisecond
	queues, err := r.quorumQueues(ctx)
	if err != nil {
		return err
	}
	file := r.path("home", "data", rabbitNode, "quorum", rabbitNode, "names.dets")
	for {
		if noted(file, queues) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for rabbitmq to note its queues in %s: %w", filepath.Base(file), ctx.Err())
		case <-time.After(pause):
		}
	}
}

// noted reports whether file holds the local name of every queue. That is an Erlang atom in the external term format: a tag, the
// length, and the name behind that of its virtual host, so that no name is found in a longer one.
func noted(file string, queues []string) bool {
	const smallAtomUTF8, host = 119, "%2F_"
	raw, err := os.ReadFile(file)
	for _, name := range queues {
		atom := host + name
		if err != nil || !bytes.Contains(raw, append([]byte{smallAtomUTF8, byte(len(atom))}, atom...)) {
			return false
		}
	}
	return true
}

// quorumQueues asks the node for the quorum queues of its virtual host.
func (r *Rabbit) quorumQueues(ctx context.Context) ([]string, error) {
	const query = "/api/queues/%2F?columns=name,type&disable_stats=true&enable_queue_totals=true"
	var queues []struct{ Name, Type string }
	if err := getJSON(ctx, r.ManagementURL()+query, &queues); err != nil {
		return nil, fmt.Errorf("list queues of rabbitmq: %w", err)
	}
	var names []string
	for _, q := range queues {
		if q.Type == "quorum" {
			names = append(names, q.Name)
		}
	}
	return names, nil
}

func getJSON(ctx context.Context, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
