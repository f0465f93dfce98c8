package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
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
	mu    sync.Mutex
	given = map[int]bool{}
)

// Free returns n different ports that nothing listens on, and that it has not returned before in this process. Another process
// may take one before it is used: whoever starts a server on it sees that as a taken port.
func Free(n int) ([]int, error) {
	mu.Lock()
	defer mu.Unlock()
	ports := make([]int, 0, n)
	for range high - low {
		if len(ports) == n {
			return ports, nil
		}
		candidate := low + rand.IntN(high-low)
		if given[candidate] || !isFree(candidate) {
			continue
		}
		given[candidate] = true
		ports = append(ports, candidate)
	}
	return nil, errors.New("find free ports: none left between " + strconv.Itoa(low) + " and " + strconv.Itoa(high))
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
// hold without the first attempt failing.
func isFree(p int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(p))) //nolint:noctx // does not block
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}
