package install

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley.sh/hack/local/process"
)

const (
	rabbitScripts = "/usr/lib/rabbitmq/bin"
	rabbitLib     = "/usr/lib/rabbitmq/lib"
	rabbitSuite   = "trixie"
	leastRabbit   = 4
	// RabbitHome is the folder inside Rabbit.Root at which the state of a server is to be mounted.
	RabbitHome = "/var/lib/rabbitmq"
	// mirrorVariable names a Debian mirror to use instead of those of the machine's apt sources.
	mirrorVariable = "PARLEY_DEBIAN_MIRROR"
)

// Rabbit is an installed server.
type Rabbit struct {
	// Root is the folder that the server sees as its root folder; empty when the host's own is used.
	Root string
	// Scripts is the folder of rabbitmq-server and rabbitmqctl, inside Root.
	Scripts string
}

// Rabbit finds RabbitMQ 4 or newer on the host, or makes a root folder of Debian 13 that holds one. The latter, which
// changes nothing on the host, needs root.
func (i Installer) Rabbit(ctx context.Context) (Rabbit, error) {
	if hostRabbit(ctx) >= leastRabbit {
		return Rabbit{Scripts: rabbitScripts}, nil
	}
	if !process.CanIsolate() {
		return Rabbit{}, errors.New("RabbitMQ 4 is not installed, and only root with CAP_SYS_ADMIN can run one that is not: " +
			"install it (on Debian 13, as root, `apt-get install rabbitmq-server`), run this as root, " +
			"or set AMQP_URL and AMQP_MANAGEMENT_URL to a server that is there")
	}
	root, err := i.cached(ctx, "rabbitmq-"+rabbitSuite+"-"+runtime.GOARCH, i.rabbitRoot)
	if err != nil {
		return Rabbit{}, err
	}
	return Rabbit{Root: root, Scripts: rabbitScripts}, nil
}

// hostRabbit is the major version of the server that is installed on the host, zero without one.
func hostRabbit(ctx context.Context) int {
	if !isThere(filepath.Join(rabbitScripts, "rabbitmq-server")) {
		return 0
	}
	text, err := run(ctx, "dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server")
	if err != nil {
		return rabbitMajor(rabbitLib)
	}
	major, _, _ := strings.Cut(text, ".")
	n, _ := strconv.Atoi(major)
	return n
}

var rabbitFolder = regexp.MustCompile(`rabbitmq_server-(\d+)\.`)

// rabbitMajor reads the newest major version from the folders of lib.
func rabbitMajor(lib string) int {
	newest := 0
	entries, _ := os.ReadDir(lib)
	for _, entry := range entries {
		if match := rabbitFolder.FindStringSubmatch(entry.Name()); match != nil {
			n, _ := strconv.Atoi(match[1])
			newest = max(newest, n)
		}
	}
	return newest
}

// rabbitRoot fills dir with a minimal Debian and the server.
func (i Installer) rabbitRoot(ctx context.Context, dir string) error {
	program, err := i.tool(ctx, "debootstrap", "a root folder for RabbitMQ 4", "debootstrap")
	if err != nil {
		return err
	}
	mirror, err := debianMirror(ctx)
	if err != nil {
		return err
	}
	return i.Progress.Do(ctx, "download RabbitMQ 4 with Debian 13 (370 MB on disk)", func(ctx context.Context) error {
		if err := debootstrap(ctx, program, dir, mirror); err != nil {
			return err
		}
		if v := rabbitMajor(dir + rabbitLib); v < leastRabbit {
			return fmt.Errorf("find RabbitMQ %d in %s: its version is %d", leastRabbit, mirror, v)
		}
		return os.RemoveAll(filepath.Join(dir, "var", "cache", "apt"))
	})
}

// debootstrap runs in namespaces of its own, so that what it mounts below dir is gone whenever it ends: a later removal of dir
// must not reach the host's /proc.
func debootstrap(ctx context.Context, program, dir, mirror string) error {
	log := filepath.Join(filepath.Dir(dir), "debootstrap.log")
	_ = os.Remove(log)
	p, err := process.Start(process.Command{
		Name: "debootstrap", Path: program, Log: log, Isolation: &process.Isolation{},
		Args: []string{"--variant=minbase", "--include=rabbitmq-server", rabbitSuite, dir, mirror},
		Env:  append(os.Environ(), "DEBIAN_FRONTEND=noninteractive"),
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
	if p.Err() != nil {
		text, _ := os.ReadFile(log)
		return fmt.Errorf("run debootstrap (log: %s): %w\n%s", log, p.Err(), Tail(string(text), 15))
	}
	return nil
}

// debianMirror finds a mirror that serves Debian 13 among the machine's own apt sources.
func debianMirror(ctx context.Context) (string, error) {
	if mirror := os.Getenv(mirrorVariable); mirror != "" {
		return mirror, nil
	}
	mirrors := aptMirrors(ctx)
	for _, mirror := range mirrors {
		if servesSuite(ctx, mirror) {
			return mirror, nil
		}
	}
	return "", fmt.Errorf("find a mirror of Debian 13 in this machine's apt sources: none of %q serves it; "+
		"install RabbitMQ 4 or newer, set %s to a Debian mirror, or set AMQP_URL and AMQP_MANAGEMENT_URL to a server that is there",
		mirrors, mirrorVariable)
}

// aptMirrors lists the archives of the machine's apt sources, each once.
func aptMirrors(ctx context.Context) []string {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil
	}
	text, err := run(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return nil
	}
	var mirrors []string
	for line := range strings.Lines(text) {
		mirror := strings.TrimRight(strings.TrimSpace(line), "/")
		if strings.HasPrefix(mirror, "http") && !slices.Contains(mirrors, mirror) {
			mirrors = append(mirrors, mirror)
		}
	}
	return mirrors
}

func servesSuite(ctx context.Context, mirror string) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, mirror+"/dists/"+rabbitSuite+"/InRelease", http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
