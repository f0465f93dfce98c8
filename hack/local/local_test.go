package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley.sh/hack/local/stack"
)

func TestFollower(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out strings.Builder
	f := follower{dir: dir, seen: map[string]*tail{}, w: &out}
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name, "server.log")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, err = log.WriteString(text)
		if err := errors.Join(err, log.Close()); err != nil {
			t.Fatal(err)
		}
	}
	follow := func(want ...string) {
		t.Helper()
		out.Reset()
		if err := f.read(); err != nil {
			t.Fatal(err)
		}
		got := strings.Fields(strings.ReplaceAll(out.String(), "\n", " "))
		if diff := cmp.Diff(strings.Join(want, " "), strings.Join(got, " ")); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	}
	long := strings.Repeat("old\n", lookBack)
	write("order", long+"last\n")
	follow(strings.Fields(strings.Repeat("order old ", (lookBack-5)/4) + "order last")...)
	follow()
	write("order", "half a")
	follow()
	write("order", " line\n")
	write("kafka", "new\n")
	follow("kafka new", "order half a line")
}

func TestPortSettings(t *testing.T) {
	t.Setenv("ORDER_PORT", "9081")
	t.Setenv("SIM_PORT", "0")
	o, err := stackOptions(t.TempDir(), "up", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{stack.Order: 9081, stack.Sim: 0, stack.Inventory: 8082}
	for name, port := range want {
		if o.Ports[name] != port {
			t.Errorf("port of %s = %d, want %d", name, o.Ports[name], port)
		}
	}
	t.Setenv("ORDER_PORT", "many")
	if _, err := stackOptions(t.TempDir(), "up", nil); err == nil || !strings.Contains(err.Error(), "ORDER_PORT") {
		t.Errorf("error = %v, want one that names ORDER_PORT", err)
	}
}

func TestPersist(t *testing.T) {
	t.Parallel()
	s, err := stack.New(stack.Options{Dir: t.TempDir(), Root: t.TempDir(), Use: stack.Servers{
		Kafka: "kafka:9092", AMQP: "amqp://rabbit/", Database: "postgres://db/",
	}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		script string
		ok     bool
		runs   int
	}{
		"succeeds":            {script: `exit 0`, ok: true, runs: 1},
		"fails":               {script: `exit 4`, runs: 1},
		"killed, then fine":   {script: `[ $(wc -l < "$0") -ge 3 ] || kill -9 $$`, ok: true, runs: 3},
		"killed, then fails":  {script: `[ $(wc -l < "$0") -ge 2 ] && exit 1; kill -9 $$`, runs: 2},
		"killed for evermore": {script: `kill -9 $$`, runs: attempts},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runs := filepath.Join(t.TempDir(), "runs")
			err := persist(t.Context(), s, "/bin/sh", []string{"-c", `echo run >> "$0"; ` + tc.script, runs})
			if (err == nil) != tc.ok {
				t.Errorf("error = %v, want none: %t", err, tc.ok)
			}
			text, _ := os.ReadFile(runs)
			if got := strings.Count(string(text), "\n"); got != tc.runs {
				t.Errorf("ran %d times, want %d", got, tc.runs)
			}
		})
	}
}

func TestEmptyKeepsTheLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := own(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := os.MkdirAll(filepath.Join(dir, "kafka", "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "lock" {
		t.Errorf("the folder holds %v, %v; want the lock alone", entries, err)
	}
	if _, err := own(dir); !errors.Is(err, errRunning) {
		t.Errorf("a second owner = %v, want errRunning", err)
	}
}
