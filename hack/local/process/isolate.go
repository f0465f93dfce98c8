package process

import (
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// Isolation gives a process a PID namespace, whose first process it is, and a mount namespace, in which its mounts are seen
// by nobody else. It needs root with CAP_SYS_ADMIN: see CanIsolate. The zero value changes nothing but the namespaces.
type Isolation struct {
	// Root is the folder that becomes the root folder of the process, with fresh /proc, /tmp and /run and the host's /dev.
	// Empty means the root of the host.
	Root string
	// Binds are folders of the host that show at another place, inside Root when that is set. The place must exist.
	Binds []Bind
}

// Bind shows folder From at To.
type Bind struct{ From, To string }

// CanIsolate reports whether the caller may use Isolation here: root inside an ordinary container, for one, may not.
var CanIsolate = sync.OnceValue(func() bool {
	if os.Geteuid() != 0 {
		return false
	}
	cmd := exec.Command("/bin/sh", "-c", "mount --make-rprivate /")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	return cmd.Run() == nil
})

const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID

// enterScript mounts what is asked and then becomes the program. Its arguments are pairs of a bind, "--" and the program.
const enterScript = `set -e
mount --make-rprivate /
while [ "$1" != -- ]; do mount --bind "$1" "$ROOT$2"; shift 2; done
shift
mount -t proc proc "$ROOT/proc"
if [ -n "$ROOT" ]; then
  mount --rbind /dev "$ROOT/dev"
  mount -t tmpfs tmpfs "$ROOT/tmp"
  mount -t tmpfs tmpfs "$ROOT/run"
fi
exec "$@"`

// apply makes cmd run c behind enterScript, as the first process of its PID namespace.
func (i *Isolation) apply(cmd *exec.Cmd, c *Command) {
	cmd.SysProcAttr.Cloneflags = namespaces
	cmd.Path, cmd.Err = "/bin/sh", nil
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ROOT=" + i.Root}
	cmd.Args = []string{"sh", "-c", enterScript, c.Name}
	for _, b := range i.Binds {
		cmd.Args = append(cmd.Args, b.From, b.To)
	}
	cmd.Args = append(cmd.Args, "--")
	cmd.Args = append(cmd.Args, i.enter(c)...)
	cmd.Args = append(cmd.Args, "env", "-i")
	cmd.Args = append(cmd.Args, c.environment()...)
	cmd.Args = append(cmd.Args, c.Path)
	cmd.Args = append(cmd.Args, c.Args...)
}

// enter changes root and user. A change of user clears the death signal, so setpriv sets it again.
func (i *Isolation) enter(c *Command) []string {
	var args []string
	if i.Root != "" {
		args = append(args, "chroot", i.Root)
	}
	if c.User == nil {
		return args
	}
	return append(args, "setpriv", "--reuid="+strconv.Itoa(int(c.User.UID)), "--regid="+strconv.Itoa(int(c.User.GID)),
		"--clear-groups", "--pdeathsig=KILL", "--")
}
