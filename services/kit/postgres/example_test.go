package postgres_test

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/postgres"
)

func ExampleMap() {
	fmt.Println(fault.KindOf(postgres.Map(pgx.ErrNoRows)))
	fmt.Println(fault.KindOf(postgres.Map(&pgconn.PgError{Code: "40001"})))
	fmt.Println(fault.KindOf(postgres.Map(&pgconn.PgError{Code: "23505"})))
	// Output:
	// not_found
	// unavailable
	// internal
}

func ExampleIsUnique() {
	err := fmt.Errorf("insert order: %w", &pgconn.PgError{Code: "23505", ConstraintName: "orders_idempotency_key"})
	fmt.Println(postgres.IsUnique(err, "orders_idempotency_key"), postgres.IsUnique(err, "orders_pkey"))
	// Output: true false
}
