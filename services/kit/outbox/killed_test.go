package outbox

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/message"
	"parley.sh/services/kit/postgres"
)

// The test binary is a relay to be killed if childVariable names a file: it appends
// the id of each message that it confirms, and after stallVariable of them goes on
// writing but does not come back.
const (
	childVariable = "OUTBOX_TEST_CHILD"
	urlVariable   = "OUTBOX_TEST_DATABASE"
	stallVariable = "OUTBOX_TEST_STALL"
)

func child(file string) int {
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	db, err := postgres.Open(postgres.Config{URL: config.Secret(os.Getenv(urlVariable)), MaxConns: 2},
		postgres.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 1
	}
	var stall int
	if _, err := fmt.Sscan(os.Getenv(stallVariable), &stall); err != nil {
		return 1
	}
	cfg := Defaults()
	cfg.InFlight, cfg.Batch = 1, 10
	confirmed := 0
	relay := NewRelay(db, cfg, only(publisher(func(ctx context.Context, messages ...message.Message) error {
		for _, m := range messages {
			if _, err := fmt.Fprintln(out, m.ID); err != nil {
				return err
			}
		}
		if confirmed += len(messages); confirmed >= stall {
			<-ctx.Done()
		}
		return nil
	})), Options{})
	if err := relay.Run(context.Background()); err != nil {
		return 1
	}
	return 0
}

// TestKilled kills relays with SIGKILL between publish and delete, one after the
// other, and lets a last one finish.
func TestKilled(t *testing.T) {
	t.Parallel()
	ctx, db := open(t)
	const rows, kills = 300, 4
	for i := range rows {
		add(ctx, t, db, newMessage(topic, fmt.Sprint("k", i%10), i))
	}
	file := t.TempDir() + "/confirmed"
	for n := range kills {
		before := len(readLines(t, file))
		stall := 10 + 25*n
		relay := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this very binary
		relay.Env = append(os.Environ(), childVariable+"="+file,
			urlVariable+"="+db.Config().ConnString(), fmt.Sprintf("%s=%d", stallVariable, stall))
		if err := relay.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(ctx, t, "the relay confirms and does not delete", func() bool {
			return len(readLines(t, file)) >= before+stall
		})
		if err := relay.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = relay.Wait() // says that it was killed
	}
	var last recorder
	runRelay(ctx, t, newRelay(t, db, Defaults(), only(&last)))
	eventually(ctx, t, "the outbox is empty", func() bool { return count(ctx, t, db, "outbox") == 0 })
	ids := readLines(t, file)
	for _, m := range last.messages {
		ids = append(ids, m.ID)
	}
	if len(ids) <= rows {
		t.Errorf("%d confirmations of %d rows: nothing was doubled, so nothing was tested", len(ids), rows)
	}
	first := firsts(ids)
	if len(first) != rows {
		t.Errorf("%d of %d rows were sent", len(first), rows)
	}
	checkOrder(t, first, rows)
}

// firsts returns the first occurrences.
func firsts(ids []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// readLines returns the whole lines of a file, which may not be there.
func readLines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data[:strings.LastIndexByte(string(data), '\n')+1])
	var lines []string
	for s := bufio.NewScanner(strings.NewReader(whole)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}
