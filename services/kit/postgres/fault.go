package postgres

import (
	"errors"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"parley.sh/services/kit/fault"
)

// SQLSTATE codes, see the PostgreSQL manual, appendix A.
const (
	uniqueViolation     = "23505"
	checkViolation      = "23514"
	foreignKeyViolation = "23503"
	featureNotSupported = "0A000"
)

// notText lists the codes of strings that no text column holds, such as one with
// a NUL: whoever sent it must send something else.
var notText = map[string]bool{
	"22021": true, // character_not_in_repertoire
	"22P05": true, // untranslatable_character
}

// unavailable lists the codes after which trying again can help.
var unavailable = map[string]bool{
	"25006": true, // read_only_sql_transaction: a standby, before or after a failover
	"25P03": true, // idle_in_transaction_session_timeout
	"25P04": true, // transaction_timeout
	"40001": true, // serialization_failure
	"40P01": true, // deadlock_detected
	"55P03": true, // lock_not_available
	"57014": true, // query_canceled: the statement timeout
}

// unavailableClass lists classes (the first characters of a code) of the same kind.
var unavailableClass = map[string]bool{
	"08":   true, // connection exceptions
	"53":   true, // insufficient resources
	"57P0": true, // the server, or this session, is being shut down or not up yet
}

// Map gives err its kind and keeps it as the cause:
//
//	pgx.ErrNoRows                                        NotFound
//	40001, 40P01, 08*, 53*, 57P0*, timeouts, lost locks  Unavailable
//	network errors, ended contexts, a closed pool        Unavailable
//	22021, 22P05: text that cannot be stored             Invalid
//	everything else, constraint violations included      Internal
//
// A violated constraint is a defect unless the caller expected it: ask IsUnique
// and its sisters first. An error that has a kind already keeps it. Map(nil) is nil.
func Map(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fault.Wrap(kind(err), err, "")
}

func kind(err error) fault.Kind {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.NotFound
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return codeKind(pg)
	}
	var connect *pgconn.ConnectError
	lost := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, puddle.ErrClosedPool)
	if lost || errors.As(err, &connect) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) {
		return fault.Unavailable
	}
	return fault.KindOf(err) // network errors and ended contexts
}

func codeKind(pg *pgconn.PgError) fault.Kind {
	switch {
	case unavailable[pg.Code],
		len(pg.Code) == 5 && (unavailableClass[pg.Code[:2]] || unavailableClass[pg.Code[:4]]):
		return fault.Unavailable
	case notText[pg.Code]:
		return fault.Invalid
	case pg.Code == featureNotSupported && pg.Routine == "RevalidateCachedQuery":
		// A plan from before a migration: the driver prepares it anew next time.
		return fault.Unavailable
	}
	return fault.Internal
}

// IsUnique reports whether err is a violation of the unique constraint, or unique
// index, of that name; an empty name means any.
func IsUnique(err error, constraint string) bool { return violates(err, uniqueViolation, constraint) }

// IsCheck reports whether err is a violation of the check constraint of that
// name; an empty name means any.
func IsCheck(err error, constraint string) bool { return violates(err, checkViolation, constraint) }

// IsForeignKey reports whether err is a violation of the foreign key of that name;
// an empty name means any.
func IsForeignKey(err error, constraint string) bool {
	return violates(err, foreignKeyViolation, constraint)
}

func violates(err error, code, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code && (constraint == "" || pg.ConstraintName == constraint)
}
