package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"

	"github.com/pressly/goose/v3"

	"parley.sh/services/kit/fault"
)

// Migrations is one set of goose SQL files, numbered by itself. A database may
// have several: a service's own, the outbox's, the inbox's.
type Migrations struct {
	// Name is a short lower-case word; the set's versions are kept in goose_<Name>.
	Name string
	// FS holds the files at its root: 00001_what.sql with "-- +goose Up".
	FS fs.FS
	// Tolerates is how many versions beyond its own the service accepts to find
	// applied: the database was migrated by its successor. Zero means one, which
	// is what expand-then-contract allows; a negative number means none.
	Tolerates int
}

var setName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// tolerates returns the effective Tolerates.
func (m Migrations) tolerates() int64 {
	switch {
	case m.Tolerates == 0:
		return 1
	case m.Tolerates < 0:
		return 0
	}
	return int64(m.Tolerates)
}

// provider checks a set and binds it to a connection.
func (m Migrations) provider(conn *sql.DB) (*goose.Provider, error) {
	if !setName.MatchString(m.Name) {
		return nil, fmt.Errorf("migrations %q: the name must match %s", m.Name, setName)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, conn, m.FS,
		goose.WithTableName(m.table()),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("migrations %s: %w", m.Name, err)
	}
	return p, nil
}

func (m Migrations) table() string { return "goose_" + m.Name }

// apply brings the schema of this set up to date. The caller holds the lock.
func (m Migrations) apply(ctx context.Context, conn *sql.DB, log *slog.Logger) error {
	p, err := m.provider(conn)
	if err != nil {
		return err
	}
	if err := m.refuseNewer(ctx, conn, p); err != nil {
		return err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", m.Name, err)
	}
	for _, r := range done {
		log.InfoContext(ctx, "migration applied",
			"set", m.Name, "version", r.Source.Version, "duration_ms", r.Duration.Milliseconds())
	}
	return nil
}

// refuseNewer returns an Internal fault when the database has more versions that
// this program does not know than the set tolerates.
func (m Migrations) refuseNewer(ctx context.Context, conn *sql.DB, p *goose.Provider) error {
	current, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the version of %s: %w", m.Name, err)
	}
	sources := p.ListSources()
	newest := sources[len(sources)-1].Version
	if current <= newest {
		return nil
	}
	var ahead int64
	row := conn.QueryRowContext(ctx, //nolint:gosec // the table's name has been checked against setName
		"SELECT count(DISTINCT version_id) FROM "+m.table()+" WHERE is_applied AND version_id > $1", newest)
	if err := row.Scan(&ahead); err != nil {
		return fmt.Errorf("count the versions of %s: %w", m.Name, err)
	}
	if ahead <= m.tolerates() {
		return nil
	}
	return fault.Newf(fault.Internal,
		"the schema %s is at version %d, %d ahead of version %d, the newest this program knows, and it accepts %d: "+
			"deploy a program that knows version %d, or migrate the schema down to %d",
		m.Name, current, ahead, newest, m.tolerates(), current, newest)
}
