package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"parley.sh/hack/local/install"
	"parley.sh/hack/local/process"
)

// dialTimeout bounds one attempt to connect while a server starts.
const dialTimeout = 3 * time.Second

// mountPoint is where an isolated server sees its folder: PostgreSQL refuses root, and the folder may lie below one, such as
// /root, that no other user can pass.
const mountPoint = "/mnt"

// PostgresOptions say how to run one server.
type PostgresOptions struct {
	Options
	// Settings are added to the command line as `-c name=value`, or replace what stands there.
	Settings map[string]string
}

// Postgres is one server. Its superuser postgres has a generated password.
type Postgres struct {
	*Server
	options  PostgresOptions
	bin      string
	account  *process.Account
	password string
	port     int
}

// NewPostgres chooses the port and the password of a server; Start starts it.
func NewPostgres(o PostgresOptions) (*Postgres, error) {
	p := &Postgres{Server: &Server{}, options: o}
	if err := p.open("postgres", o.Options); err != nil {
		return nil, err
	}
	var err error
	if p.port, err = p.claim("clients", o.Port, o.PortSetting); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder of postgres: %w", err)
	}
	if p.password, err = Password(p.path("password")); err != nil {
		return nil, err
	}
	p.prepare, p.command, p.ready = p.initialize, p.run, p.answers
	return p, nil
}

// Addr is the server's host:port.
func (p *Postgres) Addr() string { return local(p.port) }

// URL names database postgres as the superuser.
func (p *Postgres) URL() string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", p.password), Host: p.Addr(), Path: "/postgres",
		RawQuery: "sslmode=disable",
	}).String()
}

// initialize finds the programs and fills a new data folder.
func (p *Postgres) initialize(ctx context.Context) error {
	var err error
	if p.bin, err = (install.Installer{Progress: p.progress}).Postgres(ctx); err != nil {
		return err
	}
	if p.account, err = unprivileged(); err != nil {
		return err
	}
	if err := p.reachable(); err != nil {
		return err
	}
	if _, err := os.Stat(p.path("home", "data", "PG_VERSION")); err == nil {
		return p.leftovers(ctx)
	}
	return p.initdb(ctx)
}

// reachable checks that the server's user can pass every folder above its own; in a mount namespace it need not. Folders of
// tests, which are closed to others but below the folder for temporary files, it opens for passing.
func (p *Postgres) reachable() error {
	if p.account == nil || p.isolated() {
		return nil
	}
	for dir := p.dir; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at the folders above the data: %w", err)
		}
		if info.Mode().Perm()&0o001 != 0 {
			continue
		}
		if strings.HasPrefix(dir, os.TempDir()+"/") && os.Chmod(dir, info.Mode().Perm()|0o001) == nil {
			continue
		}
		return fmt.Errorf("PostgreSQL refuses root and runs as %s, who cannot pass %s: run this as another user than root, "+
			"`chmod o+x %s`, or set DATABASE_URL to a server that is there", p.account.Name, dir, dir)
	}
	return nil
}

// initdb makes the data folder under another name first: an interrupted run leaves nothing that looks complete.
func (p *Postgres) initdb(ctx context.Context) error {
	if err := p.emptyHome(); err != nil {
		return err
	}
	c := p.program("initdb", "-D", p.seen("new"), "--username=postgres", "--pwfile="+p.seen("pwfile"),
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")
	c.Name, c.Log, c.Marker = "initdb", p.path("initdb.log"), p.dir
	run, err := process.Start(c)
	if err != nil {
		return err
	}
	select {
	case <-run.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), run.Kill())
	}
	if run.Err() != nil {
		text, _ := os.ReadFile(c.Log)
		return fmt.Errorf("run initdb: %w\n%s", run.Err(), install.Tail(string(text), 15))
	}
	if err := os.Remove(p.path("home", "pwfile")); err != nil {
		return fmt.Errorf("remove password file: %w", err)
	}
	return os.Rename(p.path("home", "new"), p.path("home", "data"))
}

// emptyHome makes the folder that the server's user owns, with the password for initdb to read.
func (p *Postgres) emptyHome() error {
	home := p.path("home")
	if err := errors.Join(os.RemoveAll(home), os.MkdirAll(home, 0o700)); err != nil {
		return fmt.Errorf("make home: %w", err)
	}
	file := filepath.Join(home, "pwfile")
	if err := os.WriteFile(file, []byte(p.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write password file: %w", err)
	}
	if p.account == nil {
		return nil
	}
	return errors.Join(os.Chown(home, int(p.account.UID), int(p.account.GID)),
		os.Chown(file, int(p.account.UID), int(p.account.GID)))
}

// leftovers waits for the backends of a postmaster that was killed: they notice, but one that is busy does so late, and until
// then a new postmaster refuses to start. In namespaces of its own a server leaves none.
func (p *Postgres) leftovers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return process.EndIn(ctx, p.path("home", "data"), "postgres")
}

// seen is a path below the home folder as the server sees it.
func (p *Postgres) seen(name string) string {
	if p.isolated() {
		return filepath.Join(mountPoint, name)
	}
	return p.path("home", name)
}

func (p *Postgres) isolated() bool { return p.account != nil && process.CanIsolate() }

// program is one of the server's programs as its user runs it.
func (p *Postgres) program(name string, args ...string) process.Command {
	c := process.Command{
		Path: filepath.Join(p.bin, name), Args: args, User: p.account,
		Env: []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"},
	}
	if p.isolated() {
		c.Isolation = &process.Isolation{Binds: []process.Bind{{From: p.path("home"), To: mountPoint}}}
	}
	return c
}

// run serves with full durability. SIGINT is PostgreSQL's fast shutdown: it ends sessions and writes a checkpoint.
func (p *Postgres) run() process.Command {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(p.port),
		"unix_socket_directories": "",
		"max_connections":         "300",
		"fsync":                   "on",
		"synchronous_commit":      "on",
		"full_page_writes":        "on",
		"shared_buffers":          "128MB",
		"max_wal_size":            "2GB",
		"log_line_prefix":         "%m [%p] %u@%d ",
	}
	maps.Copy(settings, p.options.Settings)
	args := []string{"-D", p.seen("data")}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	c := p.program("postgres", args...)
	c.Signal = syscall.SIGINT
	return c
}

func (p *Postgres) answers(ctx context.Context) error { return AskPostgres(ctx, p.URL()) }

// AskPostgres returns nil when the server at a URL lets us in and answers a query.
func AskPostgres(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	connection, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var one int
	if err := connection.QueryRow(ctx, "select 1").Scan(&one); err != nil {
		return fmt.Errorf("ask postgres: %w", err)
	}
	return nil
}

// unprivileged is the user that a server runs as when the caller is root: postgres, or nobody on a machine that has no such
// user. Nil means the caller's own.
func unprivileged() (*process.Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("read ids of user %s: %w", name, err)
		}
		return &process.Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, errors.New("run PostgreSQL as another user than root: there is neither postgres nor nobody")
}
