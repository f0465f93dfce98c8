package servertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestManagement(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ amqp, want string }{
		"standard ports": {"amqp://guest:guest@127.0.0.1:5672/", "http://guest:guest@127.0.0.1:15672"},
		"no port":        {"amqp://guest:guest@rabbit/vhost", "http://guest:guest@rabbit:15672"},
		"own ports":      {"amqp://guest:guest@127.0.0.1:15672/", "http://guest:guest@127.0.0.1:15673"},
		"tls":            {"amqps://u:p@rabbit:5672/", "https://u:p@rabbit:15672"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := management(tc.amqp)
			if err != nil || got != tc.want {
				t.Errorf("management = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
	if _, err := management("amqp://host:port/"); err == nil {
		t.Error("a port that is no number must be an error")
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	first, second := Name(t), Name(t)
	if first == second {
		t.Errorf("two names are equal: %s", first)
	}
	if !strings.HasPrefix(first, "testname-") || len(first) > 40 {
		t.Errorf("name = %q", first)
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("made", func(t *testing.T) {
		url = Database(t)
		conn, err := pgx.Connect(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		// The session stays open: dropping must not wait for it.
		if _, err := conn.Exec(context.Background(), "CREATE TABLE here (id int)"); err != nil {
			t.Error(err)
		}
	})
	if url == "" {
		t.Skip("no database server")
	}
	if conn, err := pgx.Connect(context.Background(), url); err == nil {
		_ = conn.Close(context.Background())
		t.Error("the database outlived its test")
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	url, proxy := DatabaseThrough(t, Database(t))
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	proxy.Freeze()
	frozen, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := conn.Ping(frozen); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: err = %v, want a deadline", err)
	}
	proxy.Thaw()
	proxy.Cut()
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("cut: connected")
	}
	proxy.Restore()
	again, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("restored: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
