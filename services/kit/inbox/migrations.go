package inbox

import (
	"embed"

	"parley.sh/services/kit/postgres"
)

//go:embed *.sql
var files embed.FS

// Migrations make the tables inbox and inbox_window.
var Migrations = postgres.Migrations{Name: "inbox", FS: files}
