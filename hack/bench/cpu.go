package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"parley.sh/hack/local/stack"
)

// tick is the unit of proc(5)'s times on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// spent returns the processor time of each process of the platform, with that of
// its children, living and dead.
func spent(p *stack.Stack) (map[string]time.Duration, error) {
	children, times, err := processes()
	if err != nil {
		return nil, err
	}
	all := map[string]time.Duration{}
	for _, name := range p.Names() {
		all[name] = below(p.Process(name).PID, children, times)
	}
	return all, nil
}

func below(pid int, children map[int][]int, times map[int]time.Duration) time.Duration {
	sum := times[pid]
	for _, child := range children[pid] {
		sum += below(child, children, times)
	}
	return sum
}

// processes reads who is whose child, and how long each has run on a processor,
// children that have ended included.
func processes() (children map[int][]int, times map[int]time.Duration, err error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, nil, err
	}
	children, times = map[int][]int{}, map[int]time.Duration{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, nil, err
		}
		parent, spent, err := readStat(string(data))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		children[parent] = append(children[parent], pid)
		times[pid] = spent
	}
	return children, times, nil
}

// readStat reads the fields ppid, utime, stime, cutime and cstime of proc(5). The
// second field, the name, may hold anything up to its last parenthesis.
func readStat(text string) (parent int, spent time.Duration, err error) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("%d fields after the name", len(fields))
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, err
	}
	ticks := int64(0)
	for _, field := range fields[11:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		ticks += n
	}
	return parent, time.Duration(ticks) * tick, nil
}
