package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"parley.sh/services/kit/fault"
)

func TestMap(t *testing.T) {
	t.Parallel()
	code := func(c string) error { return fmt.Errorf("exec: %w", &pgconn.PgError{Code: c}) }
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"no rows":                   {fmt.Errorf("get: %w", pgx.ErrNoRows), fault.NotFound},
		"serialization failure":     {code("40001"), fault.Unavailable},
		"deadlock":                  {code("40P01"), fault.Unavailable},
		"connection failure":        {code("08006"), fault.Unavailable},
		"too many connections":      {code("53300"), fault.Unavailable},
		"disk full":                 {code("53100"), fault.Unavailable},
		"shut down":                 {code("57P01"), fault.Unavailable},
		"starting up":               {code("57P03"), fault.Unavailable},
		"statement timeout":         {code("57014"), fault.Unavailable},
		"lock not available":        {code("55P03"), fault.Unavailable},
		"idle in transaction":       {code("25P03"), fault.Unavailable},
		"standby":                   {code("25006"), fault.Unavailable},
		"stale plan":                {&pgconn.PgError{Code: "0A000", Routine: "RevalidateCachedQuery"}, fault.Unavailable},
		"feature not supported":     {code("0A000"), fault.Internal},
		"no text":                   {code("22021"), fault.Invalid},
		"no text, by escape":        {code("22P05"), fault.Invalid},
		"unique violation":          {code("23505"), fault.Internal},
		"check violation":           {code("23514"), fault.Internal},
		"syntax error":              {code("42601"), fault.Internal},
		"undefined table":           {code("42P01"), fault.Internal},
		"no code":                   {code(""), fault.Internal},
		"network":                   {&net.OpError{Op: "read", Err: errors.New("reset")}, fault.Unavailable},
		"connection ended":          {fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), fault.Unavailable},
		"pool closed":               {puddle.ErrClosedPool, fault.Unavailable},
		"deadline":                  {context.DeadlineExceeded, fault.Unavailable},
		"cancelled":                 {context.Canceled, fault.Unavailable},
		"unknown":                   {errors.New("boom"), fault.Internal},
		"of a kind already":         {fault.New(fault.Conflict, "shipped"), fault.Conflict},
		"of a kind, and a lost one": {fault.Wrap(fault.Internal, io.EOF, ""), fault.Internal},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Map(tc.err)
			if kind := fault.KindOf(got); kind != tc.want {
				t.Errorf("kind = %s, want %s", kind, tc.want)
			}
			if !errors.Is(got, tc.err) && !errors.As(got, new(*pgconn.PgError)) {
				t.Error("the cause is lost")
			}
		})
	}
	if Map(nil) != nil {
		t.Error("Map(nil) must be nil")
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	db := fresh(t)
	exec(t, db, `CREATE TABLE parent (id int PRIMARY KEY)`)
	exec(t, db, `CREATE TABLE item (
		id int CONSTRAINT item_key UNIQUE,
		quantity int CONSTRAINT item_quantity CHECK (quantity > 0),
		parent int CONSTRAINT item_parent REFERENCES parent)`)
	exec(t, db, `INSERT INTO item VALUES (1, 1, NULL)`)
	tests := map[string]struct {
		insert             string
		is                 func(error, string) bool
		constraint, others string
	}{
		"unique":      {`INSERT INTO item VALUES (1, 1, NULL)`, IsUnique, "item_key", "item_quantity"},
		"check":       {`INSERT INTO item VALUES (2, 0, NULL)`, IsCheck, "item_quantity", "item_key"},
		"foreign key": {`INSERT INTO item VALUES (3, 1, 7)`, IsForeignKey, "item_parent", "item_key"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := db.Exec(t.Context(), tc.insert)
			if !tc.is(err, tc.constraint) || !tc.is(Map(err), "") || tc.is(err, tc.others) || tc.is(nil, "") {
				t.Errorf("%v is not told apart", err)
			}
			if !fault.Is(Map(err), fault.Internal) {
				t.Errorf("an unexpected violation must be Internal")
			}
		})
	}
}
