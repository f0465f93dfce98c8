package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// leastPostgres is the oldest PostgreSQL that the services run on.
const leastPostgres = 14

// Postgres finds the folder with the newest initdb and postgres of the host; apt installs them when they are missing and the
// caller is root, without the server that the distribution would start on its own.
func (i Installer) Postgres(ctx context.Context) (string, error) {
	if dir := postgresFolder(); dir != "" {
		return dir, checkPostgres(ctx, dir)
	}
	if err := withoutCluster(); err != nil {
		return "", err
	}
	if err := i.apt(ctx, "postgresql"); err != nil {
		return "", fmt.Errorf("PostgreSQL %d or newer is not installed: %w", leastPostgres, err)
	}
	if dir := postgresFolder(); dir != "" {
		return dir, checkPostgres(ctx, dir)
	}
	return "", errors.New("find initdb and postgres: apt installed neither")
}

func postgresFolder() string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(folders) > 0 {
		return filepath.Dir(slices.MaxFunc(folders, func(a, b string) int { return cmp.Compare(postgresMajor(a), postgresMajor(b)) }))
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return filepath.Dir(path)
}

var number = regexp.MustCompile(`(\d+)`)

// postgresMajor reads the first number of a version or path.
func postgresMajor(text string) int {
	n, _ := strconv.Atoi(number.FindString(text))
	return n
}

func checkPostgres(ctx context.Context, dir string) error {
	text, err := run(ctx, filepath.Join(dir, "postgres"), "--version")
	if err != nil {
		return err
	}
	if v := postgresMajor(text); v < leastPostgres {
		return fmt.Errorf("PostgreSQL %d or newer is needed, but %s is %d: install a newer one (on Debian or Ubuntu, as root, "+
			"`apt-get install postgresql`) or set DATABASE_URL to a server that is there", leastPostgres, dir, v)
	}
	return nil
}

// withoutCluster tells the distribution's package not to make and start a server of its own, unless the machine's owner has
// said something about that already.
func withoutCluster() error {
	const file = "/etc/postgresql-common/createcluster.conf"
	if os.Geteuid() != 0 || isThere(file) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make folder of %s: %w", file, err)
	}
	if err := os.WriteFile(file, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return fmt.Errorf("keep the package from starting a server: %w", err)
	}
	return nil
}
