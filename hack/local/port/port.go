package port

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Free ports are taken from this range. It lies below the range of ports that Linux gives to outgoing connections: there, a
// client that keeps dialling a server which is down can be given the server's port for its own end and connect to itself.
const (
	low  = 21000
	high = 32000
)

// TakenError says that a server cannot have a port. It is found with errors.As.
type TakenError struct {
	// Server and Purpose say who wanted the port.
	Server, Purpose string
	Port            int
	// Owner is the process that listens there, as "java, process 4711"; empty when it belongs to somebody else.
	Owner string
	// Setting is what to change for another port, such as an environment variable; empty when nothing names it.
	Setting string
}

// Error names the port, its owner and what to change.
func (e *TakenError) Error() string {
	text := fmt.Sprintf("port %d, which %s needs for %s, is taken", e.Port, e.Server, e.Purpose)
	if e.Owner != "" {
		text += " by " + e.Owner
	}
	if e.Setting == "" {
		return text + ": stop what uses it or choose another port"
	}
	return text + ": stop what uses it or set " + e.Setting + " to a free port"
}

// Claim is a port that a server wants on 127.0.0.1.
type Claim struct {
	Server, Purpose, Setting string
	Port                     int
}

// Check returns a *TakenError when something listens on the claimed port of 127.0.0.1.
func Check(c Claim) error {
	if isFree(c.Port) {
		return nil
	}
	return &TakenError{Server: c.Server, Purpose: c.Purpose, Port: c.Port, Owner: Owner(c.Port), Setting: c.Setting}
}

var (
	mu sync.Mutex
	// given are the ports that Free returned, each with the file whose lock keeps it ours. They stay for the life of the process.
	given = map[int]*os.File{}
)

// Free returns n different ports that nothing listens on. It returns no port twice, and none that it returned in another process
// that still runs: between the choice of a port and its use minutes may pass. A stranger may take one meanwhile.
func Free(n int) ([]int, error) {
	mu.Lock()
	defer mu.Unlock()
	ports := make([]int, 0, n)
	for range 10 * (high - low) {
		if len(ports) == n {
			return ports, nil
		}
		candidate := low + rand.IntN(high-low)
		if given[candidate] == nil && isFree(candidate) && reserve(candidate) {
			ports = append(ports, candidate)
		}
	}
	return nil, errors.New("find free ports: none left between " + strconv.Itoa(low) + " and " + strconv.Itoa(high))
}

// reserve locks the file that stands for a port on this machine, for every user. The kernel lets go of it when this process ends.
func reserve(p int) bool {
	dir := filepath.Join(os.TempDir(), "parley-ports")
	if os.MkdirAll(dir, 0o777) == nil {
		_ = os.Chmod(dir, 0o777|os.ModeSticky) // it is another user's if this does not succeed, and open to all already
	}
	name := filepath.Join(dir, strconv.Itoa(p))
	file, err := os.Open(name) // not with O_CREATE: the kernel may refuse that for a file of another user in such a folder
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.OpenFile(name, os.O_RDONLY|os.O_CREATE, 0o644)
	}
	if err != nil {
		return false
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = file.Close()
		return false
	}
	given[p] = file
	return true
}

// Or returns wanted, or a free port when it is zero.
func Or(wanted int) (int, error) {
	if wanted != 0 {
		return wanted, nil
	}
	ports, err := Free(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// isFree tries the address that our servers listen on, and the address of all interfaces, which a server of somebody else may
// hold without the first attempt failing. No child is started meanwhile: between fork and exec it would hold the listener that
// was just closed here, and a free port would seem taken.
func isFree(p int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p))) //nolint:noctx // does not block
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}
