package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity names one process for ever: a process id comes round again, with another start time.
type Identity struct {
	PID     int    `json:"pid"`
	Started uint64 `json:"started"`
}

// Self is the identity of the calling process.
func Self() Identity {
	started, _ := StartTime(os.Getpid())
	return Identity{PID: os.Getpid(), Started: started}
}

// Alive reports whether this very process runs (a zombie does not).
func (i Identity) Alive() bool {
	started, err := StartTime(i.PID)
	return err == nil && started == i.Started && i.PID > 0
}

// Signal sends s to this very process; one that is gone is no error.
func (i Identity) Signal(s syscall.Signal) error {
	if !i.Alive() {
		return nil
	}
	if err := syscall.Kill(i.PID, s); err != nil && i.Alive() {
		return fmt.Errorf("signal process %d: %w", i.PID, err)
	}
	return nil
}

// StartTime is the start time of a process in clock ticks since boot. A process that is gone, or is a zombie, is an error.
func StartTime(pid int) (uint64, error) {
	s, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	if s.state == 'Z' || s.state == 'X' {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return s.started, nil
}

// stat is what this package needs of /proc/PID/stat.
type stat struct {
	state   byte
	parent  int
	group   int
	started uint64
}

// readStat parses /proc/PID/stat. The second field is the program's name in parentheses, which may hold anything, so the
// fields are counted from the last one.
func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("read state of process %d: %d fields", pid, len(fields))
	}
	parent, _ := strconv.Atoi(fields[1])
	group, _ := strconv.Atoi(fields[2])
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return stat{state: fields[0][0], parent: parent, group: group, started: started}, err
}

// all lists the process ids that /proc shows.
func all() []int {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	pids := make([]int, 0, len(entries))
	for _, entry := range entries {
		if pid, err := strconv.Atoi(filepath.Base(entry)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants lists the children of root, theirs and so on, and the members of root's process group, without root. A root
// that has ended may have lent its id to another process by now: then there is none to list.
func descendants(root int, alive func() bool) []Identity {
	stats := map[int]stat{}
	for _, pid := range all() {
		if s, err := readStat(pid); err == nil {
			stats[pid] = s
		}
	}
	if !alive() {
		return nil
	}
	var found []Identity
	for pid, s := range stats {
		if pid != root && (s.group == root || isBelow(pid, root, stats)) {
			found = append(found, Identity{PID: pid, Started: s.started})
		}
	}
	return found
}

func isBelow(pid, root int, stats map[int]stat) bool {
	for range len(stats) {
		s, ok := stats[pid]
		if !ok || pid <= 1 {
			return false
		}
		if s.parent == root {
			return true
		}
		pid = s.parent
	}
	return false
}

// marked lists the live processes that carry marker in their environment. Only those of the caller's user show theirs,
// unless the caller is root.
func marked(marker string) []Identity {
	entry := []byte(markerVariable + "=" + marker)
	var found []Identity
	for _, pid := range all() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || pid == os.Getpid() || !hasEntry(raw, entry) {
			continue
		}
		if started, err := StartTime(pid); err == nil {
			found = append(found, Identity{PID: pid, Started: started})
		}
	}
	return found
}

func hasEntry(environ, entry []byte) bool {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(variable, entry) {
			return true
		}
	}
	return false
}

func killAll(processes []Identity) {
	for _, p := range processes {
		_ = p.Signal(syscall.SIGKILL)
	}
}

// EndIn waits until no program of the given name has dir as its working folder. When ctx ends first it kills those that are
// left.
func EndIn(ctx context.Context, dir, program string) error {
	const pause = 50 * time.Millisecond
	for {
		left := workingIn(dir, program)
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			killAll(left)
			return nil
		case <-time.After(pause):
		}
	}
}

func workingIn(dir, program string) []Identity {
	var found []Identity
	for _, pid := range all() {
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err != nil || cwd != dir {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if started, err := StartTime(pid); err == nil && strings.TrimSpace(string(name)) == program {
			found = append(found, Identity{PID: pid, Started: started})
		}
	}
	return found
}
