package port

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Owner describes the process that listens on a TCP port, as "java, process 4711". It is empty when there is none, or when it
// belongs to another user and the caller is not root.
func Owner(p int) string {
	sockets := listeners(p)
	if len(sockets) == 0 {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !sockets[target] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		return fmt.Sprintf("%s, process %s", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// listeners returns the sockets that listen on p, as the links of /proc/PID/fd name them.
func listeners(p int) map[string]bool {
	const listening = "0A"
	found := map[string]bool{}
	suffix := fmt.Sprintf(":%04X", p)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			fields := strings.Fields(line)
			if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && fields[3] == listening {
				found["socket:["+fields[9]+"]"] = true
			}
		}
	}
	return found
}

// Of returns the port at the end of an address such as "127.0.0.1:8081"; zero when there is none.
func Of(address string) int {
	n, _ := strconv.Atoi(address[strings.LastIndexByte(address, ':')+1:])
	return n
}
