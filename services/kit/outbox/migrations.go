package outbox

import (
	"embed"

	"parley.sh/services/kit/postgres"
)

//go:embed *.sql
var files embed.FS

// Migrations make the tables outbox and outbox_refused.
var Migrations = postgres.Migrations{Name: "outbox", FS: files}
