package store

import (
	"embed"
	"io/fs"

	"parley.sh/services/kit/inbox"
	"parley.sh/services/kit/outbox"
	"parley.sh/services/kit/postgres"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns what the database of the service is made of.
func Migrations() []postgres.Migrations {
	own, err := fs.Sub(files, "migrations")
	if err != nil { // the name is the embed directive's own
		own = files
	}
	return []postgres.Migrations{{Name: "orders", FS: own}, outbox.Migrations, inbox.Migrations}
}
