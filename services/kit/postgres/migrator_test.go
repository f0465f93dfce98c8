package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley.sh/services/kit/config"
	"parley.sh/services/kit/fault"
	"parley.sh/services/kit/servertest"
)

// files makes a set of n migrations, each of which counts itself.
func files(n int) fs.FS {
	set := fstest.MapFS{"00001_count.sql": migration(`CREATE TABLE counted (version int)`)}
	for v := 2; v <= n; v++ {
		set[fmt.Sprintf("%05d_count.sql", v)] = migration(fmt.Sprintf(`INSERT INTO counted VALUES (%d)`, v))
	}
	return set
}

func migration(statement string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + statement + ";\n")}
}

func migrated(db *DB) bool {
	select {
	case <-db.Migrated():
		return true
	default:
		return false
	}
}

func TestMigrateSets(t *testing.T) {
	t.Parallel()
	db := fresh(t)
	if err := db.Ready(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("ready before the migrations: %v", err)
	}
	other := fstest.MapFS{"00001_other.sql": migration(`CREATE TABLE other AS SELECT * FROM counted`)}
	for range 2 { // the second time there is nothing to do
		migrator := db.Migrator(Migrations{Name: "own", FS: files(3)}, Migrations{Name: "other", FS: other})
		if err := migrator.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var versions int
	const both = `SELECT count(*) FROM counted c JOIN other o USING (version)`
	if err := db.QueryRow(t.Context(), both).Scan(&versions); err != nil {
		t.Fatal(err)
	}
	if versions != 2 || !migrated(db) || db.Ready(t.Context()) != nil {
		t.Errorf("%d versions, migrated %v, ready %v", versions, migrated(db), db.Ready(t.Context()))
	}
	for _, table := range []string{"goose_own", "goose_other"} {
		exec(t, db, `SELECT * FROM `+table)
	}
}

func TestFourReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := servertest.Database(t)
	set := Migrations{Name: "own", FS: files(20)}
	results := make(chan error, 4)
	for range cap(results) {
		db := open(t, settings(url), new(logbook).log())
		go func() { results <- db.Migrator(set).Run(t.Context()) }()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	db := open(t, settings(url), new(logbook).log())
	var rows, distinct int
	const counts = `SELECT count(*), count(DISTINCT version) FROM counted`
	if err := db.QueryRow(t.Context(), counts).Scan(&rows, &distinct); err != nil {
		t.Fatal(err)
	}
	if rows != 19 || distinct != 19 {
		t.Errorf("%d rows of %d versions, want 19 of 19: a migration ran twice", rows, distinct)
	}
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		known, applied, tolerates int
		good                      bool
	}{
		"the same":                     {known: 2, applied: 2, good: true},
		"one ahead":                    {known: 2, applied: 3, good: true},
		"two ahead":                    {known: 2, applied: 4},
		"two ahead, and tolerates two": {known: 2, applied: 4, tolerates: 2, good: true},
		"one ahead, tolerates none":    {known: 2, applied: 3, tolerates: -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := servertest.Database(t)
			newer := open(t, settings(url), new(logbook).log())
			if err := newer.Migrator(Migrations{Name: "own", FS: files(tc.applied)}).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			db := open(t, settings(url), new(logbook).log())
			err := db.Migrator(Migrations{Name: "own", FS: files(tc.known), Tolerates: tc.tolerates}).Run(t.Context())
			if (err == nil) != tc.good || migrated(db) != tc.good {
				t.Fatalf("err = %v, migrated %v, want good = %v", err, migrated(db), tc.good)
			}
			var f *fault.Error
			if err != nil && (!errors.As(err, &f) || f.Kind != fault.Internal || !strings.Contains(f.Public, "own")) {
				t.Errorf("err = %v, want one that names the schema", err)
			}
		})
	}
}

func TestMigrationThatFails(t *testing.T) {
	t.Parallel()
	db := fresh(t)
	bad := fstest.MapFS{"00001_bad.sql": migration(`CREATE TABLE (`)}
	if err := db.Migrator(Migrations{Name: "own", FS: bad}).Run(t.Context()); !fault.Is(err, fault.Internal) {
		t.Errorf("err = %v, want Internal", err)
	}
	for name, set := range map[string]Migrations{
		"bad name": {Name: "Own; DROP", FS: files(1)}, "no files": {Name: "own", FS: fstest.MapFS{}},
	} {
		if err := db.Migrator(set).Run(t.Context()); err == nil || migrated(db) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func TestDatabaseThatComesLate(t *testing.T) {
	t.Parallel()
	name := strings.ReplaceAll(servertest.Name(t), "-", "_")
	address := servertest.DatabaseURL(t, name)
	cfg := settings(address)
	cfg.Password = config.Secret(cmp.Or(passwordOf(t, address), "hunter2"))
	var book logbook
	db := open(t, cfg, book.log())
	result := make(chan error, 1)
	go func() { result <- db.Migrator(Migrations{Name: "own", FS: files(2)}).Run(t.Context()) }()
	eventually(t, "the wait is logged", func() bool {
		return strings.Contains(book.String(), "waiting for the database")
	})
	for _, part := range []string{`"database":"` + name + `"`, `"host":"127.0.0.1:`} {
		if !strings.Contains(book.String(), part) {
			t.Errorf("the log does not say %s:\n%s", part, book.String())
		}
	}
	if strings.Contains(book.String(), cfg.Password.Reveal()) {
		t.Error("the log shows the password")
	}
	if err := db.Ready(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("ready without a database: %v", err)
	}
	servertest.CreateDatabase(t, name)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	db.Close() // before the database is dropped
}

// passwordOf returns the password of an address; a server may ask for none.
func passwordOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return password
}

func TestServerThatComesLateAndGoesAgain(t *testing.T) {
	t.Parallel()
	through, proxy := servertest.DatabaseThrough(t, servertest.Database(t))
	proxy.Cut()
	db := open(t, settings(through), new(logbook).log())
	result, ran := make(chan error, 1), make(chan struct{})
	go func() { result <- db.Migrator(Migrations{Name: "own", FS: files(2)}).Run(t.Context()) }()
	after := db.After(func(context.Context) error { close(ran); return nil })
	go func() { _ = after(t.Context()) }()
	select {
	case <-ran:
		t.Fatal("After did not wait")
	case <-time.After(50 * time.Millisecond): // as long as any wait can prove a negative
	}
	proxy.Restore()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	<-ran
	proxy.Cut()
	if err := db.Ready(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("ready without its server: %v", err)
	}
	proxy.Restore()
	eventually(t, "ready again", func() bool { return db.Ready(t.Context()) == nil })
}

func TestReplicaThatMigratesAndVanishes(t *testing.T) {
	t.Parallel()
	own := servertest.Database(t)
	through, proxy := servertest.DatabaseThrough(t, own)
	slow := fstest.MapFS{"00001_slow.sql": migration(`CREATE TABLE counted AS SELECT 1 AS version FROM pg_sleep(0.5)`)}
	set := Migrations{Name: "own", FS: slow}
	db := open(t, settings(through), new(logbook).log())
	result := make(chan error, 1)
	go func() { result <- db.Migrator(set).Run(t.Context()) }()
	watcher := open(t, settings(own), new(logbook).log())
	eventually(t, "the migration runs", func() bool { return running(t, watcher) > 0 })
	proxy.Cut()
	if err := watcher.Migrator(set).Run(t.Context()); err != nil {
		t.Fatalf("the other replica: %v", err)
	}
	proxy.Restore()
	if err := <-result; err != nil {
		t.Errorf("the first replica, once back: %v", err)
	}
}

func running(t *testing.T, db *DB) int {
	t.Helper()
	var n int
	const active = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(0.5)%'
		AND pid <> pg_backend_pid()`
	if err := db.QueryRow(t.Context(), active).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	db := open(t, settings("postgres://nobody@127.0.0.1:1/none"), new(logbook).log())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Migrator(Migrations{Name: "own", FS: files(1)}).Run(ctx); err != nil {
		t.Errorf("err = %v", err)
	}
	if err := db.After(func(context.Context) error { return errors.New("called") })(ctx); err != nil {
		t.Errorf("After called its function: %v", err)
	}
}

func TestPoolMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	db, err := Open(settings(servertest.Database(t)), Options{Log: new(logbook).log(), Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec(t, db, `SELECT 1`)
	if n := testutil.CollectAndCount(&poolCollector{db.Pool}); n != 9 {
		t.Errorf("%d metrics, want 9", n)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	again := settings("postgres://h/" + db.Config().ConnConfig.Database)
	if _, err := Open(again, Options{Log: new(logbook).log(), Registerer: registry}); err == nil {
		t.Error("two pools of one database in one registry must be refused")
	}
}
