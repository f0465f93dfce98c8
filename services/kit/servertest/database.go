package servertest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// adminTimeout bounds the making and the dropping of a test's database.
const adminTimeout = 30 * time.Second

// Database makes an empty database for this test alone, drops it, with every
// session on it, when the test ends, and returns its URL.
func Database(tb testing.TB) string {
	tb.Helper()
	server := variable(tb, DatabaseVariable)
	name := strings.ReplaceAll(unique(tb.Name()), "-", "_")
	CreateDatabase(tb, name)
	own, err := databaseURL(server, name)
	if err != nil {
		tb.Fatalf("parse %s: %v", DatabaseVariable, err)
	}
	return own
}

// DatabaseURL returns the URL that database name has, or would have, on the
// server under test, for tests whose database comes late: see CreateDatabase.
func DatabaseURL(tb testing.TB, name string) string {
	tb.Helper()
	own, err := databaseURL(variable(tb, DatabaseVariable), name)
	if err != nil {
		tb.Fatalf("parse %s: %v", DatabaseVariable, err)
	}
	return own
}

// CreateDatabase makes database name and drops it when the test ends.
func CreateDatabase(tb testing.TB, name string) {
	tb.Helper()
	server := variable(tb, DatabaseVariable)
	quoted := pgx.Identifier{name}.Sanitize()
	if err := admin(server, "CREATE DATABASE "+quoted); err != nil {
		tb.Fatalf("create database %s: %v", name, err)
	}
	tb.Cleanup(func() {
		if err := admin(server, "DROP DATABASE IF EXISTS "+quoted+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop database %s: %v", name, err)
		}
	})
}

func admin(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

func databaseURL(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
