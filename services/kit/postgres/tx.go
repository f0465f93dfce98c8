package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Tx calls f in a READ COMMITTED transaction and commits if f returns nil; on an
// error or a panic of f it rolls back. The wait for a connection is bounded by
// DATABASE_ACQUIRE_TIMEOUT. Errors have gone through Map, those of f included. An
// Unavailable one may come from a commit whose answer was lost: the transaction may
// have happened.
//
// f must make no call to the outside: the connection, and the rows it locked, are
// held all the while.
func (db *DB) Tx(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	waiting, cancel := context.WithTimeout(ctx, db.acquire)
	conn, err := db.Acquire(waiting)
	cancel()
	if err != nil {
		return Map(fmt.Errorf("acquire a connection: %w", err))
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return Map(fmt.Errorf("begin: %w", err))
	}
	// After a commit this does nothing. If it cannot roll back, the connection is
	// closed, and with it the transaction.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := f(ctx, tx); err != nil {
		return Map(err)
	}
	if err := tx.Commit(ctx); err != nil {
		return Map(fmt.Errorf("commit: %w", err))
	}
	return nil
}
