package server_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley.sh/hack/local/server"
)

func TestPostgres(t *testing.T) {
	requireServers(t)
	t.Parallel()
	p, err := server.NewPostgres(server.PostgresOptions{Options: options(t)})
	must(t, "make", err)
	insert := func(ctx context.Context) error {
		return query(ctx, p, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, "CREATE TABLE survivor AS SELECT n FROM generate_series(1, 10) n")
			return err
		})
	}
	testLife(t, p, insert, func(ctx context.Context) error { return durable(ctx, p) })
}

func query(ctx context.Context, p *server.Postgres, run func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	return run(c)
}

// durable checks the rows and that the server writes as in production.
func durable(ctx context.Context, p *server.Postgres) error {
	return query(ctx, p, func(c *pgx.Conn) error {
		var rows int
		var fsync, commit string
		err := c.QueryRow(ctx, `SELECT (SELECT count(*) FROM survivor), current_setting('fsync'),
			current_setting('synchronous_commit')`).Scan(&rows, &fsync, &commit)
		if err == nil && (rows != 10 || fsync != "on" || commit != "on") {
			err = fmt.Errorf("%d rows, fsync %s, synchronous_commit %s", rows, fsync, commit)
		}
		return err
	})
}
